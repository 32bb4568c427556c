"""When an endpoint may be sent to: its rate, its quiet hours in its own time zone, and digests on request."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from monitor.settings import Settings, SettingsError, load
from monitor.settings.timing import Rate, parse_digest, parse_quiet, parse_rate, quiet_until
from monitor.store import Database, alerts, digests, outbox, parse_filters
from monitor.store.budgets import SETTLE_MS
from monitor.store.outbox import AlertDraft
from monitor.store.recipients import recipients
from monitor.times import parse_time
from monitor.words import AlertKind
from tests.delivering import Clock, logged, raise_claim, sender
from tests.receiver import SECRET, Receiver, status
from workers.deliver import pace, queue


def settings(tmp_path: Path, lines: str) -> Settings:
    file = tmp_path / "monitor.toml"
    hook = f'[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "https://example.org"\nsecret = "{SECRET}"\n'
    file.write_text(hook + lines)
    return load(file)


async def raise_some(database: Database, to: Any, count: int, now: int, kind: AlertKind = "source.down") -> None:
    names = recipients([to], kind, None, None)
    drafts = [
        AlertDraft(kind=kind, dedupe_key=f"{kind}:{now}:{n}", summary=f"It is {n}.", recipients=names) for n in range(count)
    ]
    async with database.write() as connection:
        await outbox.raise_alerts(connection, [(draft, None, None) for draft in drafts], now)


@pytest.mark.parametrize(
    ("written", "gap_ms", "at_once"),
    [("1/s", 1000, 1), ("30/m", 2000, 1), ("50/s", 20, 5), ("3600/h", 1000, 1), ("1/d", 86.4e6, 1)],
)
def test_a_rate_is_a_number_and_a_time(written: str, gap_ms: float, at_once: int) -> None:
    assert parse_rate(written) == Rate(gap_ms=gap_ms, at_once=at_once)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('rate = "fast"', '"30/m"'),
        ('rate = "0/s"', '"30/m"'),
        ("rate = 5", '"30/m"'),
        ('quiet = "22-7"', "22:00-07:00 Europe/Berlin"),
        ('quiet = "25:00-07:00"', "22:00-07:00"),
        ('quiet = "22:00-07:00 Mars/Base"', "no time zone 'Mars/Base'"),
        ('quiet = "22:00-07:00 ../../etc/passwd"', "no time zone"),
        ('quiet = "07:00-07:00"', "leave no time"),
        ('quiet = ["00:00-12:00", "12:00-00:00"]', "leave no time"),
        ('digest = "weekly"', '"daily 08:00 Europe/Berlin"'),
        ('digest = "daily 8"', '"daily 08:00 Europe/Berlin"'),
        ('digest = "daily"\nmax_per_hour = 3', "exclude each other"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, line)
    assert said in str(caught.value)
    assert "endpoint[0] (hook)" in str(caught.value)


def test_the_words_are_read(tmp_path: Path) -> None:
    (hook,) = settings(
        tmp_path, 'rate = "2/s"\nquiet = "22:00-07:00 Europe/Berlin"\ndigest = "daily 08:00 Europe/Berlin"'
    ).endpoint
    assert (hook.rate, hook.quiet, hook.digest) == (
        parse_rate("2/s"),
        [parse_quiet("22:00-07:00 Europe/Berlin")],
        parse_digest("daily 08:00 Europe/Berlin"),
    )


@pytest.mark.parametrize(
    ("windows", "now", "until"),
    [
        ("22:00-07:00 Europe/Berlin", "2026-11-22T20:59:59Z", None),
        ("22:00-07:00 Europe/Berlin", "2026-11-22T21:00:00Z", "2026-11-23T06:00:00Z"),
        ("22:00-07:00 Europe/Berlin", "2026-11-23T05:59:59Z", "2026-11-23T06:00:00Z"),
        ("22:00-07:00 Europe/Berlin", "2026-11-23T06:00:00Z", None),
        ("22:00-07:00 Europe/Berlin", "2026-07-01T20:00:00Z", "2026-07-02T05:00:00Z"),  # summer time
        ("22:00-07:00 Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z"),  # the night that has an hour more
        ("22:00-07:00 Europe/Berlin", "2026-03-28T21:00:00Z", "2026-03-29T05:00:00Z"),  # and the one that has one less
        ("12:00-13:30", "2026-11-22T12:10:00Z", "2026-11-22T13:30:00Z"),
        ("20:00-00:00", "2026-11-22T23:59:00Z", "2026-11-23T00:00:00Z"),
        ("20:00-00:00,00:00-06:00", "2026-11-22T23:59:00Z", "2026-11-23T06:00:00Z"),
        ("18:00-09:00 Asia/Kolkata", "2026-11-22T12:30:00Z", "2026-11-23T03:30:00Z"),
    ],
)
def test_quiet_hours_are_those_of_the_clock_there(windows: str, now: str, until: str | None) -> None:
    quiet: Any = [parse_quiet(one) for one in windows.split(",")]
    assert quiet_until(quiet, parse_time(now)) == (None if until is None else parse_time(until))


@pytest.mark.parametrize(
    ("plan", "now", "due"),
    [
        ("hourly", "2026-11-22T12:00:00Z", "2026-11-22T13:00:00Z"),
        ("daily", "2026-11-22T12:00:00Z", "2026-11-23T00:00:00Z"),
        ("daily 08:00 Europe/Berlin", "2026-11-22T06:59:59Z", "2026-11-22T07:00:00Z"),
        ("daily 08:00 Europe/Berlin", "2026-11-22T07:00:00Z", "2026-11-23T07:00:00Z"),
        ("daily 08:00 Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T07:00:00Z"),
        ("daily 09:30 Asia/Kolkata", "2026-11-22T03:59:00Z", "2026-11-22T04:00:00Z"),
    ],
)
def test_a_digest_is_due_by_the_clock_there(plan: str, now: str, due: str) -> None:
    digest: Any = parse_digest(plan)
    assert digest.next_after(parse_time(now)) == parse_time(due)


def test_a_rate_never_lets_more_out_than_it_says() -> None:
    rate: Any = parse_rate("20/s")
    spent, out, now = 0.0, list[int](), 1_790_000_000_000
    for _ in range(3_000):
        free = pace.allowed(rate, spent, now)
        out += [now] * free
        spent = pace.spent(rate, spent, now, free) if free else spent
        now = max(now + 1, pace.next_ms(rate, spent)) if free == 0 else now
        if now > 1_790_000_010_000:
            break
    assert 200 <= len(out) <= 203, "20 a second for ten seconds"
    for first in out:
        assert sum(first <= one < first + 1000 for one in out) <= 21


async def test_no_more_are_sent_than_the_rate_allows_whoever_sends(
    database: Database, store_url: str, clock: Clock, receiver: Receiver
) -> None:
    slow = receiver.endpoint(rate="30/m")
    for n in range(4):
        await raise_claim(database, n)
    other = Database(Settings(store={"url": store_url}).sqlalchemy_url)
    senders = [sender(one, clock, slow) for one in (database, other)]
    try:
        sent = []
        for _ in range(8):
            sent.append(sum([await one.flush() for one in senders]))
            clock.now += 1_000
    finally:
        await other.close()
    assert sent == [1, 0, 1, 0, 1, 0, 1, 0], "one every two seconds, of both together"
    assert len({got.id for got in receiver.kept}) == 4


async def test_a_running_sender_waits_for_its_rate_and_not_longer(
    database: Database, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "POLL_S", 60.0)  # so that one look at the database by the clock alone would be noticed
    for n in range(4):
        await raise_claim(database, n)
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    started = loop.time()
    sending = sender(database, lambda: clock.now + round((loop.time() - started) * 1000), receiver.endpoint(rate="10/s"))  # type: ignore[arg-type]
    running = asyncio.create_task(sending.run(stop))
    await receiver.got(4)
    took = loop.time() - started
    stop.set()
    await running
    assert 0.3 <= took < 60.0


@pytest.mark.parametrize("lasts_ms", [1, 5, 9, 11, 40])
async def test_what_may_go_by_the_end_of_a_look_at_the_database_waits_for_no_other(
    database: Database, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch, lasts_ms: int
) -> None:
    monkeypatch.setattr(queue, "POLL_S", 60.0)
    for n in range(4):
        await raise_claim(database, n)
    stop, asked = asyncio.Event(), itertools.count()
    # Time goes on whenever it is asked for, as it does while a busy database answers.
    slow = sender(database, lambda: clock.now + next(asked) * lasts_ms, receiver.endpoint(rate="10/s"))  # type: ignore[arg-type]
    running = asyncio.create_task(slow.run(stop))
    async with asyncio.timeout(40):
        await receiver.got(4)
    stop.set()
    await running


async def test_nothing_is_sent_in_quiet_hours_and_all_of_it_after(database: Database, clock: Clock, receiver: Receiver) -> None:
    clock.now = parse_time("2026-11-22T21:00:00Z")
    sending = sender(database, clock, receiver.endpoint(quiet="22:00-07:00 Europe/Berlin"))
    for n in range(3):
        await raise_claim(database, n)
    assert await sending.flush() == 0
    clock.now = parse_time("2026-11-23T05:59:59.999Z")
    assert await sending.flush() == 0
    clock.now += 1
    assert await sending.flush() == 3
    assert {one.state for one in await logged(database)} == {"delivered"}


async def test_a_retry_that_falls_into_quiet_hours_waits_for_their_end(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    clock.now = parse_time("2026-11-22T20:59:58Z")
    sending = sender(database, clock, receiver.endpoint(quiet="22:00-07:00 Europe/Berlin"))
    receiver.script(status(500))
    await raise_claim(database, 1)
    assert await sending.flush() == 1
    clock.now += 5_000
    assert await sending.flush() == 0
    clock.now = parse_time("2026-11-23T06:00:00Z")
    assert await sending.flush() == 1


@pytest.mark.parametrize(("plan", "hours"), [("hourly", 1), ("daily", 24)])
async def test_with_a_digest_everything_but_harm_comes_in_one_message(
    database: Database, clock: Clock, receiver: Receiver, plan: str, hours: int
) -> None:
    calm = receiver.endpoint(digest=plan)
    clock.now = parse_time("2026-11-22T00:30:00Z")
    sending = sender(database, clock, calm)
    await raise_some(database, calm, 3, clock.now)
    await raise_some(database, calm, 1, clock.now, "safety.signal")
    assert await sending.flush() == 1
    assert receiver.kept[0].event["type"] == "safety.signal"
    clock.now = parse_time("2026-11-22T00:00:00Z") + hours * 3_600_000 + SETTLE_MS - 1
    assert await sending.flush() == 0
    clock.now += 1
    assert await sending.flush() == 1
    digest = receiver.kept[-1].event
    assert (digest["type"], digest["data"]["count"], len(digest["data"]["items"])) == ("digest", 3, 3)
    await raise_some(database, calm, 2, clock.now)
    clock.now += hours * 3_600_000
    assert await sending.flush() == 1, "and one the next time"
    async with database.read() as connection:
        listed = (await alerts.page(connection, parse_filters({}))).items
        assert await digests.waiting(connection) == {}
    assert listed[0].summary == "2 alerts for the endpoint hook since its last digest."
