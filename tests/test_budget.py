"""An endpoint's budget: so many alerts an hour, all others in one digest after it, and none lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner
from msgspec.structs import replace
from pydantic import ValidationError
from sqlalchemy import select

from monitor.cli import cli
from monitor.events import MAX_BODY
from monitor.ids import public_id
from monitor.settings import Settings
from monitor.settings.model import Alerts
from monitor.store import Database, alerts, deliveries, digests, endpoints, outbox, parse_filters
from monitor.store.budgets import HOUR_MS, SETTLE_MS, Recipient, hour_of
from monitor.store.digests import DueDigest
from monitor.store.judged import Judged
from monitor.store.outbox import AlertDraft
from monitor.store.tables import endpoint_hour
from monitor.times import now_ms
from monitor.words import AlertKind, encode
from tests import samples
from tests.delivering import Clock, logged, sender
from tests.receiver import SECRET, Receiver, status
from tests.test_store import NOW, carries, judged, post
from workers.alert import drafts
from workers.deliver.digest import raise_due

HOUR = hour_of(NOW)
DUE = HOUR + HOUR_MS + SETTLE_MS


async def raise_some(
    database: Database, keys: Sequence[Any], *to: Recipient, now: int = NOW, kind: AlertKind = "source.down"
) -> list[str]:
    """An alert for each key, raised together; their ids as users see them, in that order."""
    wanted = [AlertDraft(kind=kind, dedupe_key=f"{kind}:{key}", summary=f"It is {key}.", recipients=to) for key in keys]
    async with database.write() as connection:
        raised = await outbox.raise_alerts(connection, [(draft, None, None) for draft in wanted], now)
    return [public_id("a", number) for number in raised]


async def waiting(database: Database) -> dict[str, int]:
    async with database.read() as connection:
        return await digests.waiting(connection)


async def sent_singly(database: Database, endpoint: str = "hook") -> list[str]:
    """The ids of alerts with a delivery of their own, the oldest first."""
    return [one.alert_id for one in await logged(database, endpoint=endpoint)]


async def test_the_first_of_an_hour_are_sent_singly_and_all_others_in_one_digest(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    to, sending = Recipient("hook", 3), sender(database, clock, receiver.endpoint(max_per_hour=3))
    raised = [await raise_some(database, keys, to) for keys in ("ab", "cdef", "gh")]
    ids = [one for some in raised for one in some]
    assert await sending.flush() == 3
    clock.now = DUE - 1
    assert await sending.flush() == 0, "not before the hour is over"
    assert await waiting(database) == {"hook": 5}
    clock.now = DUE
    assert await sending.flush() == 1
    assert [got.event["data"]["alert_id"] for got in receiver.kept[:3]] == ids[:3]
    digest = receiver.kept[3]
    assert (digest.event["type"], receiver.forged, digest.timestamp) == ("digest", 0, DUE // 1000)
    async with database.read() as connection:
        listed = (await alerts.page(connection, parse_filters({}))).items
    assert digest.event["data"] == {
        "alert_id": listed[0].id,
        "items": [json.loads(encode(one)) for one in listed[5:0:-1]],
        "count": 5,
    }
    assert [one["id"] for one in digest.event["data"]["items"]] == ids[3:], "the newest last"
    assert (listed[0].kind, listed[0].summary) == (
        "digest",
        "5 alerts beyond the budget of the endpoint hook in the hour from 2026-09-21 14:00 UTC.",
    )
    clock.now += HOUR_MS
    assert (await sending.flush(), await waiting(database)) == (0, {}), "and never again"


async def test_each_hour_of_the_clock_has_a_budget_of_its_own(database: Database) -> None:
    to = Recipient("hook", 2)
    kept: list[str] = []
    for n, now in enumerate((HOUR, HOUR + HOUR_MS - 1, HOUR + HOUR_MS, HOUR + 2 * HOUR_MS, HOUR + 5 * HOUR_MS)):
        kept += (await raise_some(database, [f"{n}-{k}" for k in range(3)], to, now=now))[: 0 if n == 1 else 2]
    assert await sent_singly(database) == kept
    assert await waiting(database) == {"hook": 1 + 3 + 1 + 1 + 1}
    async with database.read() as connection:
        due = await digests.due(connection, ["hook"], HOUR + 9 * HOUR_MS)
        hours = (await connection.execute(select(endpoint_hour.c.hour_ms))).scalars().all()
    assert [one.due_ms for one in due] == [DUE + n * HOUR_MS for n in (0, 1, 2, 5)]
    assert hours == [HOUR + 5 * HOUR_MS], "counts of old hours are removed"


@pytest.mark.parametrize("kind", ["safety.signal", "endpoint.disabled", "test", "digest"])
async def test_harm_and_housekeeping_neither_wait_nor_count(database: Database, kind: AlertKind) -> None:
    to = Recipient("hook", 2)
    first = await raise_some(database, "ab", to, kind=kind)
    counted = await raise_some(database, "abc", to)
    last = await raise_some(database, "cd", to, kind=kind)
    assert await sent_singly(database) == [*first, *counted[:2], *last]
    assert await waiting(database) == {"hook": 1}


async def test_writers_at_the_same_time_keep_to_the_budgets(database: Database) -> None:
    few, many, free = Recipient("few", 7), Recipient("many", 25), Recipient("free")
    orders = ((few, many, free), (many, few), (few, free), (free, many, few))
    writers = [raise_some(database, [f"{n}-{k}" for k in range(5)], *orders[n % 4]) for n in range(16)]
    raised = sum(map(len, await asyncio.gather(*writers)))
    async with database.read() as connection:
        page = await deliveries.page(connection, parse_filters({"limit": ["500"]}))
    told = [one.endpoint for one in page.items]
    assert (raised, told.count("few"), told.count("many"), told.count("free")) == (80, 7, 25, 60)
    assert await waiting(database) == {"few": 80 - 7, "many": 60 - 25}


async def test_writers_whose_batches_hold_edits_do_not_wait_for_each_other(database: Database) -> None:
    """An edit is written after what it edits. Had the count been taken before that, another writer could hold the edit's claim
    and wait for the count."""

    def batch(writer: int, turn: int) -> list[Judged]:
        texts = [f"claim {turn * 100 + writer + step}" for step in (0, 1)]
        heard = [
            judged(turn * 100 + writer * 2 + step, post(f"{turn}-{writer}", text), carries(text, text, text))
            for step, text in enumerate(texts)
        ]
        return [
            replace(one, alerts=tuple(replace(draft, recipients=(Recipient("hook", 10),)) for draft in one.alerts))
            for one in heard
        ]

    raised = 0
    for turn in range(4):
        results = await asyncio.gather(*(samples.write(database, *batch(writer, turn)) for writer in range(8)))
        raised += sum(len(result.alerts) for result in results)
    assert raised == 4 * 9
    assert len(await sent_singly(database)) + (await waiting(database))["hook"] == raised


async def test_what_a_killed_sender_had_in_hand_is_in_the_next_ones_digest(
    database: Database, clock: Clock, receiver: Receiver, store_url: str
) -> None:
    ids = await raise_some(database, "abcd", Recipient("hook", 1))
    clock.now = DUE

    async def raise_and_die() -> None:
        async with database.write() as connection:
            assert await digests.raise_digest(connection, DueDigest("hook", DUE), DUE) is not None
            raise RuntimeError("killed here")

    with pytest.raises(RuntimeError):
        await raise_and_die()
    assert await waiting(database) == {"hook": 3}
    after_restart = Database(Settings(store={"url": store_url}).sqlalchemy_url)
    try:
        assert await sender(after_restart, clock, receiver.endpoint()).flush() == 2
    finally:
        await after_restart.close()
    (digest,) = [got.event["data"] for got in receiver.kept if got.event["type"] == "digest"]
    assert [one["id"] for one in digest["items"]] == ids[1:]


async def test_several_senders_raise_one_digest(database: Database, clock: Clock, receiver: Receiver, store_url: str) -> None:
    ids = await raise_some(database, range(50), Recipient("hook", 1), Recipient("other", 1))
    clock.now = DUE
    others = [Database(Settings(store={"url": store_url}).sqlalchemy_url) for _ in range(3)]
    names = ["hook", "other"]
    try:
        async with database.write() as connection:
            await endpoints.register(connection, names)
        raised = await asyncio.gather(*(raise_due(one, names, DUE) for one in (database, *others) for _ in range(2)))
        assert sum(raised) == 2, "one for each endpoint"
        await asyncio.gather(*(sender(one, clock, receiver.endpoint()).flush() for one in (database, *others)))
    finally:
        for one in others:
            await one.close()
    assert sorted(got.event["type"] for got in receiver.kept) == ["digest", "source.down"]
    (digest,) = [got.event["data"] for got in receiver.kept if got.event["type"] == "digest"]
    assert ([one["id"] for one in digest["items"]], digest["count"]) == (ids[1:], 49)


async def test_what_is_committed_after_its_digest_goes_with_the_next(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    to, sending = Recipient("hook", 1), sender(database, clock, receiver.endpoint())
    await raise_some(database, "ab", to)
    clock.now = DUE
    await sending.flush()
    (late,) = await raise_some(database, "c", to)
    (second, third) = await raise_some(database, "de", to, now=NOW + HOUR_MS)
    assert await sending.flush() == 1
    assert receiver.kept[-1].event["data"]["alert_id"] == second
    clock.now += HOUR_MS
    assert await sending.flush() == 1
    assert [one["id"] for one in receiver.kept[-1].event["data"]["items"]] == [late, third]
    assert await waiting(database) == {}


async def test_filters_hold_as_before_and_a_digest_comes_whatever_they_say(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    async with Receiver(clock=clock) as desk:
        law = receiver.endpoint("law", events=["claim.new"], types=["regulatory_status"], max_per_hour=1)
        both = [law, receiver.endpoint("desk", url=desk.url, events=["claim.new"])]
        for n, kind in enumerate(("safety", "regulatory_status", "regulatory_status", "safety", "regulatory_status")):
            text = f"claim {n}"
            one = samples.judged(str(n), text, samples.occurrence(text, text, f"budget-{n}", type=kind), n=n)
            asked = drafts(one.judgement, one.post, Alerts(), both)
            await samples.write(database, replace(one, alerts=asked))
        clock.now = now_ms()
        sending = sender(database, clock, *both)
        await sending.flush()
        clock.now += 2 * HOUR_MS
        await sending.flush()
        assert len(desk.kept) == 5, "an endpoint without a budget is told each at once"
        told = [got.event for got in receiver.kept]
        listed = [one["summary"] for event in told if event["type"] == "digest" for one in event["data"]["items"]]
        singly = [event["data"]["claim"]["claim"] for event in told if event["type"] == "claim.new"]
        assert singly[:1] == ["The claim budget-1."]
        heard = [*singly[1:], *(summary.partition(": ")[2] for summary in listed)]
        assert sorted(heard) == ["The claim budget-2.", "The claim budget-4."]
        assert listed, "the endpoint did not ask for digests by name"


async def test_a_digest_of_thousands_fits_and_says_how_many_there_were(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    ids = await raise_some(database, range(5_001), Recipient("hook", 1))
    clock.now = DUE
    await sender(database, clock, receiver.endpoint()).flush()
    digest = receiver.kept[-1]
    data = digest.event["data"]
    assert MAX_BODY - 300 < len(digest.raw) <= MAX_BODY, "no more is left out than must be"
    assert (digest.event["type"], data["count"], data["truncated"]) == ("digest", 5_000, True)
    assert [one["id"] for one in data["items"]] == ids[1 : 1 + len(data["items"])]
    assert data["items"][0]["summary"] == "It is 1."


async def test_a_running_sender_raises_the_digest_though_nothing_else_is_due(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    await raise_some(database, "abc", Recipient("hook", 1))
    stop = asyncio.Event()
    running = asyncio.create_task(sender(database, clock, receiver.endpoint()).run(stop))
    await receiver.got(1)
    clock.now = DUE
    (_, digest) = await receiver.got(2)
    stop.set()
    await running
    assert (digest.event["type"], digest.event["data"]["count"]) == ("digest", 2)


async def test_without_its_budget_or_its_endpoint_what_waits_is_still_kept(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    await raise_some(database, "abc", Recipient("gone", 1))
    stop = asyncio.Event()
    clock.now = DUE
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(sender(database, clock, receiver.endpoint()).run(stop))
        await raise_some(database, "d", Recipient("hook"))
        await receiver.got(1)
        stop.set()
        await running
    (warning,) = [one for one in logs if one["log_level"] == "warning"]
    assert (warning["event"], warning["endpoint"], warning["alerts"]) == (
        "alerts wait for the digest of an endpoint that is not configured",
        "gone",
        2,
    )
    assert (len(receiver.kept), await waiting(database)) == (1, {"gone": 2})
    await sender(database, clock, receiver.endpoint("gone")).flush()
    assert sorted(got.event["type"] for got in receiver.kept[1:]) == ["digest", "source.down"], "it is back, without a budget"
    assert await waiting(database) == {}


async def test_a_digest_that_fails_is_tried_again_like_any_alert(database: Database, clock: Clock, receiver: Receiver) -> None:
    await raise_some(database, "ab", Recipient("hook", 1))
    sending = sender(database, clock, receiver.endpoint())
    await sending.flush()
    receiver.script(status(500))
    clock.now = DUE
    await sending.flush()
    clock.now += 5_000
    await sending.flush()
    assert [got.event["type"] for got in receiver.kept] == ["source.down", "digest", "digest"]
    assert receiver.kept[1].id == receiver.kept[2].id


def test_the_list_of_endpoints_shows_what_waits(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    file = tmp_path / "monitor.toml"
    hook = f'[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "https://example.org"\nsecret = "{SECRET}"\nmax_per_hour = 1\n'
    file.write_text(f'data_dir = "{tmp_path}/var"\n[store]\nurl = "{url}"\n{hook}')

    async def fill() -> None:
        database = Database(Settings(store={"url": url}).sqlalchemy_url)
        await database.migrate()
        await raise_some(database, "abc", Recipient("hook", 1))
        await database.close()

    asyncio.run(fill())
    found = CliRunner().invoke(cli, ["endpoints", "list", "--config", str(file)])
    heading, line = (row.split("\t") for row in found.stdout.splitlines())
    assert dict(zip(heading, line, strict=True))["for the digest"] == "2"
    found = CliRunner().invoke(cli, ["endpoints", "list", "--config", str(file), "--format", "json"])
    assert list(json.loads(found.stdout)["items"][0]) == ["name", "kind", "state", "pending", "dead"]


@pytest.mark.parametrize("wrong", [0, -1, "many", 1.5])
def test_a_budget_is_a_number_of_alerts(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="max_per_hour"):
        Receiver().endpoint(max_per_hour=wrong)
