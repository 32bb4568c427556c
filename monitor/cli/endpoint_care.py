"""`endpoints test` and `endpoints rotate`: seeing that alerts arrive, and changing a secret while they do."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import tempfile
from pathlib import Path

import click

from monitor.cli.database import opened
from monitor.cli.endpoints import configured, endpoints
from monitor.cli.group import settings_of
from monitor.cli.output import counted, plain
from monitor.ids import public_id
from monitor.settings.endpoint import Endpoint
from monitor.settings.model import Settings
from monitor.settings.timing import quiet_until
from monitor.store import Database
from monitor.store import deliveries as stored
from monitor.store import endpoints as stored_endpoints
from monitor.times import now_ms, rfc3339
from monitor.words import Delivery
from workers.deliver.advice import explain
from workers.deliver.pace import next_ms, rate_of

_LOOK_EVERY_S = 0.1
_TAKEN_WITHIN_S = 3.0  # a running sender looks every second


@endpoints.command("test", epilog="Example:  exowatch endpoints test case-system")
@click.argument("name")
@click.option("--wait", default=20.0, show_default=True, help="Seconds to wait for the answer; 0: do not wait.")
@click.pass_context
def test(context: click.Context, name: str, wait: float) -> None:
    """Send one endpoint a signed test alert, through the queue like every other, and say what came of it.

    The running daemon sends it; without one it waits in the queue. Exit status 1 where it was tried and did not arrive.
    """
    settings = settings_of(context)
    endpoint = configured(settings, name)
    delivery = asyncio.run(_put_and_wait(settings, endpoint, wait))
    if delivery is None or not delivery.attempts:
        if wait > 0:
            print(asyncio.run(_why_not(settings, endpoint)))
        else:
            print(f"see what became of it with `exowatch endpoints deliveries {name}`")
        return
    attempt = delivery.attempts[-1]
    print(plain(explain(attempt, endpoint)))
    if attempt.answer:
        print(f"The answer began: {plain(attempt.answer)[:200]}")
    if delivery.state == "pending":
        print(f"It is tried again on the schedule; `exowatch endpoints deliveries {name}` shows every try.")
    context.exit(0 if delivery.state == "delivered" else 1)


async def _put_and_wait(settings: Settings, endpoint: Endpoint, wait_s: float) -> Delivery | None:
    """Raises the test, and its delivery as soon as there was an attempt; None where there was none in that time."""
    async with opened(settings) as database:
        async with database.write() as connection:
            number = await stored.raise_test(connection, endpoint)
        print(f"{public_id('d', number)} is on its way", flush=True)
        try:
            async with asyncio.timeout(wait_s):
                return await _attempted(database, number)
        except TimeoutError:
            return None


async def _attempted(database: Database, number: int) -> Delivery | None:
    started, loop = asyncio.get_running_loop().time(), asyncio.get_running_loop()
    while True:
        async with database.read() as connection:
            found = await stored.find(connection, number)
            taken = await stored.was_taken(connection, number)
        if found is None or found.attempts:
            return found
        if not taken and loop.time() - started > _TAKEN_WITHIN_S:
            return None
        await asyncio.sleep(_LOOK_EVERY_S)


async def _why_not(settings: Settings, endpoint: Endpoint) -> str:
    """What an alert that nobody has tried waits for."""
    async with opened(settings) as database, database.read() as connection:
        standing = await stored_endpoints.standing(connection, endpoint.name)
        (status,) = await stored.endpoint_statuses(connection, [endpoint])
    now, rate = now_ms(), rate_of(endpoint)
    quiet_ms = quiet_until(endpoint.quiet, now) or 0
    if quiet_ms > standing.held_until_ms:
        return f"These are the quiet hours of {endpoint.name}, until {rfc3339(quiet_ms)}: it goes out then."
    if standing.held_until_ms > now:
        until = rfc3339(standing.held_until_ms)
        return f"The receiver asked with Retry-After to be left alone until {until}: it goes out then."
    if rate is not None and next_ms(rate, standing.spent_until_ms) > now:
        until = rfc3339(round(standing.spent_until_ms + (status.pending - 1) * rate.gap_ms))
        waiting = counted(status.pending, "delivery waits", "deliveries wait")
        return f"The rate of {endpoint.name} is used up at the moment, and {waiting} for it: it goes out by about {until}."
    return (
        "No sender has tried it yet: start `exowatch run` (or `exowatch deliver`); start it anew if it has run since before the "
        "endpoint stood in the config file; or wait if the queue is long."
    )


@endpoints.command("rotate", epilog="Example:  exowatch endpoints rotate case-system")
@click.argument("name")
@click.option("--finish", is_flag=True, help="The receiver has the new secret: take the old ones away.")
@click.pass_context
def rotate(context: click.Context, name: str, finish: bool) -> None:
    """Change an endpoint's secret without missing an alert.

    The first call puts a new secret before the old one in the endpoint's secret file and prints it: from then on both sign, in a
    running daemon too. Give it to the receiver, then call again with --finish.
    """
    endpoint = configured(settings_of(context), name)
    if endpoint.kind != "webhook":
        raise click.ClickException(f"{name} is an Apprise endpoint, which has no secret to sign with")
    if not endpoint.secret_files:
        raise click.ClickException(
            f'the secret of {name} does not stand in a file: write it to one and set secret = "file:{name}.secret" (beside the '
            "config file), start exowatch again, then call this; both can also be listed by hand, as docs/webhooks.md shows"
        )
    file = Path(endpoint.secret_files[0])
    lines = file.read_text(encoding="utf-8").split()
    if finish:
        if len(lines) < 2:
            raise click.ClickException(f"{name} has one secret; `exowatch endpoints rotate {name}` makes a new one first")
        _write(file, lines[:1])
        print(f"Only the new secret of {name} signs now.")
        return
    if len(lines) > 1:
        raise click.ClickException(
            f"{name} has {len(lines)} secrets already; end the change before with `exowatch endpoints rotate {name} --finish`"
        )
    new = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    _write(file, [new, *lines])
    print(new)
    click.echo(
        f"Both secrets sign from now on. Give the new one to the receiver, then: exowatch endpoints rotate {name} --finish",
        err=True,
    )


def _write(file: Path, lines: list[str]) -> None:
    """Puts another file in its place at once, so that a sender never reads half of it; only its owner can."""
    try:
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as writing:
                writing.write("".join(f"{line}\n" for line in lines))
                writing.flush()
                os.fsync(writing.fileno())
            known = file.stat()
            if os.geteuid() == 0:
                os.chown(temporary, known.st_uid, known.st_gid)  # what an administrator changes stays the daemon's to read
            Path(temporary).replace(file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise click.ClickException(f"the secret file {file} cannot be written: {error.strerror}") from None
