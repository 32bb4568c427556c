"""The log of deliveries: all of a time sent again, what is old forgotten, and every attempt to be read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner
from msgspec.structs import replace
from sqlalchemy import func, select

from monitor.cli import cli
from monitor.settings import Endpoint, Settings
from monitor.store import Database, alerts, deliveries, delivery_log, erase, mentions, outbox, parse_filters
from monitor.store.budgets import Recipient
from monitor.store.delivery_log import again
from monitor.store.tables import attempt, delivery
from monitor.times import now_ms, rfc3339
from tests.api_server import serving
from tests.delivering import Clock, logged, raise_claim, sender, state_of
from tests.receiver import SECRET, Receiver, held, status
from tests.test_store import NOW, carries, judged, post, write
from workers.deliver import tidy
from workers.deliver.schedule import WAITS


async def all_dead(database: Database, clock: Clock, receiver: Receiver, count: int, name: str = "hook") -> None:
    receiver.always(status(410, "no more, thanks"))
    for n in range(count):
        await raise_claim(database, n, name)
    await sender(database, clock, receiver.endpoint(name)).flush()
    receiver.always(status(204))


async def test_all_of_a_time_go_out_again_in_steps_under_their_ids(
    database: Database, clock: Clock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_log, "STEP", 3)
    await all_dead(database, clock, receiver, 8)
    ids = sorted(one.webhook_id for one in await logged(database))
    receiver.kept.clear()
    assert await state_of(database, receiver.endpoint()) == ("disabled", 0, 8)
    rest: Any = again("hook", parse_filters({"since": ["24h"]}))
    steps = []
    while rest is not None:
        async with database.write() as connection:
            step, rest = await delivery_log.redeliver_some(connection, rest, clock())
        steps.append(step)
    assert steps == [3, 3, 2]
    clock.now += 1
    await sender(database, clock, receiver.endpoint()).flush()
    assert sorted(got.id for got in receiver.kept) == ids
    assert await state_of(database, receiver.endpoint()) == ("ok", 0, 0)


async def test_only_what_was_asked_for_goes_out_again(database: Database, clock: Clock, receiver: Receiver) -> None:
    await all_dead(database, clock, receiver, 2)
    await raise_claim(database, 7, "other")
    await raise_claim(database, 8, "hook")
    await sender(database, clock, receiver.endpoint("other")).flush()
    async with database.read() as connection:
        counts = {
            (name, state, since): await delivery_log.count_again(
                connection, again(name, parse_filters({"since": [since]}), state)
            )
            for name in ("hook", "other")
            for state in ("dead", "delivered", "any")
            for since in ("24h", rfc3339(now_ms() + 3_600_000))
        }
    wanted = {("hook", "dead", "24h"): 2, ("hook", "any", "24h"): 2, ("other", "delivered", "24h"): 1, ("other", "any", "24h"): 1}
    assert {key: number for key, number in counts.items() if number} == wanted


async def in_the_log(database: Database) -> tuple[list[tuple[str, str]], int]:
    """The deliveries by endpoint and state, and how many attempts there are."""
    async with database.read() as connection:
        rows = (await connection.execute(select(delivery.c.endpoint, delivery.c.state).order_by(delivery.c.id))).all()
        attempts = (await connection.execute(select(func.count()).select_from(attempt))).scalar_one()
    return [(row.endpoint, row.state) for row in rows], attempts


async def erase_mention(database: Database, n: int, *told: Endpoint) -> None:
    async with database.write() as connection:
        which = erase.matching({("reddit", str(n))}, (), ())
        await erase.erase(connection, await erase.find(connection, which), endpoints=told)


async def raise_test(database: Database, receiver: Receiver) -> None:
    async with database.write() as connection:
        await deliveries.raise_test(connection, receiver.endpoint())


DAY_MS = 86_400_000


async def forget(database: Database) -> int:
    """Forgets what is older than a day, two days from now."""
    return await tidy.forget_old(database, 86_400.0, now_ms() + 2 * DAY_MS, asyncio.Event())


async def test_what_is_old_is_forgotten_in_steps_with_its_attempts_and_what_is_pending_never(
    database: Database, clock: Clock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_log, "STEP", 3)
    monkeypatch.setattr(tidy, "BETWEEN_S", 0)
    for _ in range(8):
        await raise_test(database, receiver)
    await sender(database, clock, receiver.endpoint()).flush()
    await raise_claim(database, 9, "away")
    assert await tidy.forget_old(database, 86_400.0, now_ms(), asyncio.Event()) == 0, "a day is not over"
    assert await forget(database) == 8
    assert await in_the_log(database) == ([("away", "pending")], 0)


async def test_that_an_endpoint_was_sent_a_post_is_kept_until_the_post_is_erased(
    database: Database, clock: Clock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_log, "STEP", 2)
    monkeypatch.setattr(tidy, "BETWEEN_S", 0)
    hook = receiver.endpoint()
    for n in range(5):
        await raise_claim(database, n)
    await sender(database, clock, hook).flush()
    assert await forget(database) == 5
    assert await in_the_log(database) == ([("hook", "delivered")] * 5, 0), "no attempt and no answer, but the rows"
    assert await forget(database) == 0, "nothing is forgotten twice"
    await erase_mention(database, 3, hook)
    await sender(database, clock, hook).flush()
    told = receiver.kept[-1].event
    assert (told["type"], told["data"]["mention"]["platform_id"], len(receiver.kept)) == ("mention.deleted", "3", 6)
    assert await forget(database) == 2, "that post's claim.new and mention.deleted"
    assert await in_the_log(database) == ([("hook", "delivered")] * 4, 0)


async def test_a_post_of_a_digest_is_kept_so_too_however_late_the_digest_was(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    hook = receiver.endpoint(digest="hourly")
    for n in range(2):
        text = f"claim {n}"
        one = judged(n, post(str(n), text), carries(text, text, f"claim-{n}"))
        await write(database, replace(one, alerts=(replace(one.alerts[0], recipients=(Recipient("hook", digest=hook.digest),)),)))
    # The digest has a later id than one of this day: its endpoint was away for a month.
    monthly = outbox.new_number() + (30 * DAY_MS << 21)
    clock.now = now_ms() + 30 * DAY_MS
    with pytest.MonkeyPatch.context() as later:
        later.setattr(outbox, "new_number", lambda: monthly)
        await sender(database, clock, hook).flush()
    (digest,) = receiver.kept
    assert (digest.event["type"], digest.event["data"]["count"]) == ("digest", 2)
    retain_s, much_later = 86_400.0, now_ms() + 60 * DAY_MS
    assert await tidy.forget_old(database, retain_s, much_later, asyncio.Event()) == 1
    assert await in_the_log(database) == ([("hook", "delivered")], 0)
    plain = receiver.endpoint()
    for n, left in ((0, 1), (1, 0)):
        await erase_mention(database, n, plain)
        await sender(database, clock, plain).flush()
        assert receiver.kept[-1].event["type"] == "mention.deleted"
        assert receiver.kept[-1].event["data"]["mention"]["platform_id"] == str(n)
        await tidy.forget_old(database, retain_s, much_later, asyncio.Event())
        assert (await in_the_log(database))[0] == [("hook", "delivered")] * left
    assert len(receiver.kept) == 3


async def test_who_is_being_sent_a_post_as_it_is_deleted_is_told_so(database: Database, clock: Clock, receiver: Receiver) -> None:
    """The first attempt is under way and in no log yet."""
    for n in range(2):
        await raise_claim(database, n)
    answering, taken = asyncio.Event(), asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        taken.set()
        return await held(answering)(request)

    receiver.always(slowly)
    hook = receiver.endpoint(rate="1/s")
    first = asyncio.create_task(sender(database, clock, hook).flush())
    await taken.wait()
    (got,) = receiver.kept
    assert (await in_the_log(database))[1] == 0
    sent = int(got.event["data"]["mention"]["platform_id"])
    for n in (sent, 1 - sent):
        await erase_mention(database, n, hook)
    answering.set()
    await first
    async with database.read() as connection:
        raised = (await alerts.page(connection, parse_filters({}))).items
        about = [await mentions.find(connection, one.mention_id or "") for one in raised if one.kind == "mention.deleted"]
    assert [one.platform_id for one in about if one is not None] == [str(sent)], "and who was not sent the other is not"


async def test_a_running_sender_forgets_what_is_old(database: Database, clock: Clock, receiver: Receiver) -> None:
    await raise_test(database, receiver)
    await sender(database, clock, receiver.endpoint()).flush()
    clock.now = now_ms() + 91 * DAY_MS
    stop = asyncio.Event()
    running = asyncio.create_task(sender(database, clock, receiver.endpoint()).run(stop))
    async with asyncio.timeout(60):
        while await logged(database):
            await asyncio.sleep(0.01)
    stop.set()
    await running


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config whose database holds three dead deliveries and a delivered one to `hook`."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    file = tmp_path / "monitor.toml"
    hook = f'[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "https://example.org"\nsecret = "{SECRET}"\n'
    file.write_text(f'data_dir = "{tmp_path}/var"\n[store]\nurl = "{url}"\n{hook}')

    async def fill() -> None:
        database, clock = Database(Settings(store={"url": url}).sqlalchemy_url), Clock()
        await database.migrate()
        async with Receiver(clock=clock) as receiver:
            await raise_claim(database, 9)
            await sender(database, clock, receiver.endpoint()).flush()
            await all_dead(database, clock, receiver, 3)
        await database.close()

    asyncio.run(fill())
    return file


def run(config: Path, *arguments: str) -> Any:
    return CliRunner().invoke(cli, ["endpoints", *arguments, "--config", str(config)])


def test_the_command_lists_attempts_and_sends_a_time_again(config: Path) -> None:
    listed = json.loads(run(config, "deliveries", "hook", "--format", "json").output)["items"]
    assert [one["state"] for one in listed] == ["dead"] * 3 + ["delivered"]
    attempted = [one["attempts"][0] for one in listed if one["attempts"]]
    assert {(one["status"], one["answer"]) for one in attempted} == {(410, "no more, thanks"), (204, "")}
    assert all(one["at"] == rfc3339(NOW) and one["ms"] >= 0 for one in attempted)
    assert "there is no endpoint nobody" in run(config, "deliveries", "nobody", "--format", "json").output
    assert len(json.loads(run(config, "deliveries", "hook", "--type", "safety", "--format", "json").output)["items"]) == 0

    sent = run(config, "redeliver", "hook", "--since", "24h")
    assert (sent.exit_code, sent.output) == (0, "3 deliveries are on the way to hook again\n")
    assert run(config, "redeliver", "hook", "--since", "24h").output == "nothing to hook of that time is to be sent again\n"
    assert run(config, "redeliver", "hook", "--since", "24h", "--state", "delivered").output == (
        "1 delivery is on the way to hook again\n"
    )
    assert "add --since" in run(config, "redeliver", "hook").output
    assert "there is no endpoint nobody" in run(config, "redeliver", "nobody", "--since", "1h").output
    assert run(config, "redeliver", "hook", "--since", "soon").exit_code == 2


async def test_http_sends_a_time_again(database: Database, clock: Clock, receiver: Receiver, redis_url: str) -> None:
    await all_dead(database, clock, receiver, 3, "case-system")
    async with serving(database, redis_url) as api:
        for body in ({}, {"since": "soon"}, {"since": "24h", "state": "lost"}, {"from": "24h"}):
            assert (await api.post("/api/v1/endpoints/case-system/redeliver", json=body))[0] == 400, body
        assert (await api.post("/api/v1/endpoints/none/redeliver", json={"since": "24h"}))[0] == 404
        assert await api.post("/api/v1/endpoints/case-system/redeliver", json={"since": "24h"}) == (202, {"queued": 3})
    clock.now = now_ms() + WAITS[0]
    await sender(database, clock, receiver.endpoint("case-system")).flush()
    assert {one.state for one in await logged(database)} == {"delivered"}
