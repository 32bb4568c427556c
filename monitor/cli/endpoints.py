"""`endpoints`: where alerts go, what became of them, and sending again."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, get_args

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from monitor.cli.database import opened
from monitor.cli.group import Commands, cli, settings_of
from monitor.cli.output import Column, Format, format_option, plain, print_page, short_time
from monitor.cli.query import filters_of
from monitor.ids import stored_id
from monitor.settings.endpoint import Endpoint
from monitor.settings.model import Settings
from monitor.store import FilterError, delivery_log, digests
from monitor.store import deliveries as stored
from monitor.store import endpoints as stored_endpoints
from monitor.store.delivery_log import Again, Settled, again
from monitor.store.filters import EXPLAINED
from monitor.times import now_ms, rfc3339
from monitor.words import DELIVERY_STATES, Attempt, Delivery, Page


@cli.group(cls=Commands, epilog="Example:  exowatch endpoints list")
def endpoints() -> None:
    """The endpoints that alerts are delivered to."""


@endpoints.command("list", epilog="Example:  exowatch endpoints list --format json")
@click.option("--limit", help=EXPLAINED["limit"])
@click.option("--cursor", help=EXPLAINED["cursor"])
@format_option
@click.pass_context
def list_endpoints(context: click.Context, /, how: Format, **given: Any) -> None:
    """List the configured endpoints and how each is."""
    filters = filters_of(given)
    settings = settings_of(context)

    async def read() -> tuple[Page[Any], dict[str, int], dict[str, int], dict[str, int]]:
        async with opened(settings) as database, database.read() as connection:
            found = await stored_endpoints.page(connection, settings.endpoint, filters)
            waiting = await digests.waiting(connection)
            held = await stored_endpoints.held(connection, now_ms())
            return found, await stored_endpoints.last_delivered(connection), waiting, held

    try:
        page, last, waiting, held = asyncio.run(read())
    except FilterError as error:
        raise click.UsageError(str(error), context) from None

    columns = (
        Column("name", lambda one: one.name),
        Column("kind", lambda one: one.kind),
        Column("state", lambda one: one.state),
        Column("pending", lambda one: one.pending),
        Column("dead", lambda one: one.dead),
        Column("last delivered", lambda one: short_time(rfc3339(last.get(one.name)))),
        Column("for the digest", lambda one: waiting.get(one.name, 0)),
        Column("left alone until", lambda one: short_time(rfc3339(held.get(one.name)))),
    )
    print_page(page, columns, how)


def configured(settings: Settings, name: str) -> Endpoint:
    """The endpoint of this name. Raises ClickException."""
    endpoint = next((one for one in settings.endpoint if one.name == name), None)
    if endpoint is None:
        known = ", ".join(one.name for one in settings.endpoint) or "none"
        raise click.ClickException(f"there is no endpoint {plain(name)}; configured: {known}")
    return endpoint


@endpoints.command("deliveries", epilog="Example:  exowatch endpoints deliveries case-system --state dead --since 7d")
@click.argument("which", metavar="[ENDPOINT|DELIVERY]", required=False)
@click.option("--endpoint", help="Only deliveries to this endpoint, as ENDPOINT.")
@click.option("--state", type=click.Choice(DELIVERY_STATES), help="Only deliveries in this state.")
@click.option("--since", help="Made since: a duration back from now (24h, 7d) or a time.")
@click.option("--until", help="Made before: a duration back from now or a time.")
@click.option("--type", multiple=True, help="Only of alerts about this claim type; repeatable, as are the next.")
@click.option("--verdict", multiple=True, help="Only of alerts about this verdict.")
@click.option("--platform", multiple=True, help="Only of alerts from this platform.")
@click.option("--claim", multiple=True, help="Only of alerts about this claim.")
@click.option("--limit", help="How many at most (default 50, at most 500).")
@click.option("--cursor", help="Go on where another list ended.")
@format_option
@click.pass_context
def deliveries(context: click.Context, /, which: str | None, endpoint: str | None, state: Any, how: Format, **given: Any) -> None:
    """List deliveries, newest first; of an endpoint or a delivery every try: time, status, milliseconds, what was answered.

    JSON has every try with the first kilobyte of the answer in any case.
    """
    settings, filters = settings_of(context), filters_of(given)
    number = None if which is None or any(one.name == which for one in settings.endpoint) else stored_id("d", which)

    async def read() -> Page[Delivery]:
        async with opened(settings) as database, database.read() as connection:
            if number is None:
                found = await stored.page(connection, filters, endpoint=which or endpoint, state=state)
                if which and not found.items:  # one that is configured no more may still have deliveries
                    configured(settings, which)
                return found
            one = await stored.find(connection, number)
            if one is None:
                raise click.ClickException(f"there is no delivery {which}; `exowatch endpoints deliveries` lists them")
            return Page(items=[one], next=None)

    page = asyncio.run(read())
    if how == "table" and (which or endpoint):
        print_page(Page(items=[one for delivery in page.items for one in _tries(delivery)], next=page.next), _OF_TRIES, how)
    else:
        print_page(page, _OF_DELIVERIES, how)


class _Try(msgspec.Struct, frozen=True):
    """One try of a delivery and which it was; 0 and None where there was none yet."""

    delivery: Delivery
    n: int
    attempt: Attempt | None


def _tries(delivery: Delivery) -> list[_Try]:
    """The last one first, as the deliveries are."""
    tries = [_Try(delivery, n, attempt) for n, attempt in enumerate(delivery.attempts, 1)]
    return tries[::-1] or [_Try(delivery, 0, None)]


def _answered(one: Attempt | None) -> str:
    """What the receiver said to it, or why it said nothing."""
    if one is None:
        return ""
    said = " ".join((one.answer or "").split())
    if one.error is None or one.error == f"answered {one.status}":
        return said
    return f"{one.error}: {said}" if said else one.error


def _last(one: Delivery) -> str:
    if not one.attempts:
        return ""
    attempt = one.attempts[-1]
    return f"{short_time(attempt.at)} {attempt.status or ''} {attempt.error or ''} {attempt.ms} ms"


_OF_TRIES = (
    Column("id", lambda one: one.delivery.id),
    Column("try", lambda one: one.n or ""),
    Column("time", lambda one: one.attempt and one.attempt.at[:19].replace("T", " ")),
    Column("status", lambda one: one.attempt and one.attempt.status),
    Column("ms", lambda one: one.attempt and one.attempt.ms),
    Column("state", lambda one: one.delivery.state if one.n == len(one.delivery.attempts) else ""),
    Column("answer", lambda one: _answered(one.attempt), long=True),
)
_OF_DELIVERIES = (
    Column("id", lambda one: one.id),
    Column("alert", lambda one: one.alert_id),
    Column("endpoint", lambda one: one.endpoint),
    Column("state", lambda one: one.state),
    Column("attempts", lambda one: len(one.attempts)),
    Column("last attempt", _last, long=True),
)


@endpoints.command("redeliver", epilog="Example:  exowatch endpoints redeliver case-system --since 24h")
@click.argument("which", metavar="DELIVERY|ENDPOINT")
@click.option("--since", help="Of an endpoint: those made since then (24h, 7d, or a time).")
@click.option("--until", help="Of an endpoint: those made before then.")
@click.option("--state", type=click.Choice(get_args(Settled)), default="dead", show_default=True, help="Of an endpoint: which.")
@click.pass_context
def redeliver(context: click.Context, which: str, since: str | None, until: str | None, state: Settled) -> None:
    """Send one dead or delivered delivery once more, or all of a time to one endpoint; the running daemon does it."""
    number = stored_id("d", which)
    if since is None and until is None:
        asyncio.run(_redeliver_one(settings_of(context), number, which))
        return
    settings = settings_of(context)
    wanted = again(configured(settings, which).name, filters_of({"since": since, "until": until}), state)
    queued = asyncio.run(_redeliver_all(settings, wanted))
    what = "1 delivery is" if queued == 1 else f"{queued} deliveries are"
    print(f"{what} on the way to {which} again" if queued else f"nothing to {which} of that time is to be sent again")


async def _redeliver_one(settings: Settings, number: int | None, which: str) -> None:
    async with opened(settings) as database, database.write() as connection:
        found = None if number is None else await stored.redeliver(connection, number, now_ms())
    if found is None:
        more = "; for all of an endpoint add --since" if any(one.name == which for one in settings.endpoint) else ""
        raise click.ClickException(f"there is no delivery {plain(which)}; `exowatch endpoints deliveries` lists them{more}")
    print(f"{which} is on its way again")


async def _redeliver_all(settings: Settings, wanted: Again) -> int:
    """Puts them back in steps, with a progress bar where somebody watches; how many."""
    queued = 0
    async with opened(settings) as database:
        async with database.read() as connection:
            total = await delivery_log.count_again(connection, wanted)
        with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
            task = progress.add_task("sending again", total=total)
            rest: Again | None = wanted
            while rest is not None:
                async with database.write() as connection:
                    step, rest = await delivery_log.redeliver_some(connection, rest)
                queued += step
                progress.advance(task, step)
    return queued
