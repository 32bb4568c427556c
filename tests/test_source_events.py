"""What endpoints are told of sources: down, silent, back. Each once, whatever is repeated or started again."""

from __future__ import annotations

import json

import pytest

from monitor.events import load_events
from monitor.settings.model import Endpoint
from monitor.store import Database, alerts, deliveries, parse_filters, sources
from monitor.store.sources import Heard, silence
from tests.receiver import SECRET

HOUR, DAY = 3_600_000, 86_400_000
START = 1_795_000_000_000
ALL = Endpoint(name="all", kind="webhook", url="https://e.test", secret=[SECRET])
CLAIMS = Endpoint(name="claims", kind="webhook", url="https://e.test", secret=[SECRET], events=["claim.new"])


class Told:
    """A source `blog` in a database, at times that the test gives."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self, now: int) -> None:
        async with self._database.write() as connection:
            await sources.declare(connection, {"blog": "feed"}, now)

    async def fails(self, now: int, state: str = "down") -> None:
        async with self._database.write() as connection:
            await sources.failed(connection, "blog", "it answers 503", state, endpoints=(ALL, CLAIMS), now=now)  # type: ignore[arg-type]

    async def polls(self, now: int, posts: int = 0) -> str:
        async with self._database.write() as connection:
            await sources.heard(connection, "blog", Heard(posts=posts), now)
            await sources.succeeded(connection, "blog", interval_s=60, endpoints=(ALL, CLAIMS), now=now)
        async with self._database.read() as connection:
            return (await sources.listing(connection))[0].state

    async def alerts(self) -> list[str]:
        async with self._database.read() as connection:
            page = await alerts.page(connection, parse_filters({}))
            sent = (await deliveries.page(connection, parse_filters({}))).items
        assert {one.endpoint for one in sent} <= {"all"}, "the other wants new claims alone"
        assert len(sent) == len(page.items)
        return [one.kind for one in reversed(page.items)]


@pytest.fixture
async def told(database: Database) -> Told:
    told = Told(database)
    await told.start(START)
    return told


async def test_a_source_that_is_down_is_told_once_and_once_that_it_is_back(told: Told) -> None:
    await told.fails(START + 1, "failing")
    assert await told.alerts() == []
    for minute in range(5):
        await told.fails(START + minute * 60_000)
    assert await told.alerts() == ["source.down"]
    for minute in range(5, 8):
        await told.polls(START + minute * 60_000)
    assert await told.alerts() == ["source.down", "source.recovered"]
    await told.fails(START + HOUR)
    assert await told.alerts() == ["source.down", "source.recovered", "source.down"], "that is another time"


async def test_a_start_in_between_tells_nothing_twice(told: Told) -> None:
    await told.fails(START + 1)
    await told.start(START + 2)
    await told.fails(START + 3)
    assert await told.alerts() == ["source.down"]
    await told.start(START + 4)
    await told.polls(START + 5)
    assert await told.alerts() == ["source.down", "source.recovered"]


async def test_a_source_that_is_off_for_good_is_told(told: Told) -> None:
    await told.fails(START + 1, "off")
    assert await told.alerts() == ["source.down"]


async def speak(told: Told, days: int) -> int:
    """A source that speaks every hour by day and not at night; the time of its last words."""
    last = START
    for day in range(days):
        for hour in range(12):
            last = START + day * DAY + hour * HOUR
            await told.polls(last, posts=1)
    return last


async def test_a_source_that_falls_silent_is_told_and_a_night_is_no_silence(told: Told) -> None:
    last = await speak(told, 5)
    for hour in range(1, 25):
        assert await told.polls(last + hour * HOUR) == "ok", "a night of twelve hours is usual, twice that is not yet much"
    assert await told.alerts() == []
    assert await told.polls(last + 27 * HOUR) == "silent"
    await told.start(last + 28 * HOUR)
    await told.polls(last + 28 * HOUR + 1)
    assert await told.alerts() == ["source.silent"]
    assert await told.polls(last + 29 * HOUR, posts=1) == "ok"
    assert await told.alerts() == ["source.silent", "source.recovered"]


async def test_of_a_young_source_nothing_is_usual_yet(told: Told) -> None:
    last = await speak(told, 2)
    await told.polls(last + 30 * DAY)
    assert await told.alerts() == []


async def test_what_could_not_be_heard_is_no_silence(told: Told) -> None:
    last = await speak(told, 4)
    await told.fails(last + HOUR, "failing")
    await told.polls(last + 5 * DAY, posts=1)
    async with told._database.read() as connection:
        (row,) = (await connection.exec_driver_sql("SELECT quiet FROM source")).all()
    quiet = json.loads(row.quiet) if isinstance(row.quiet, str) else row.quiet
    assert max(quiet.values()) < 24 * 3600, "else its patience would be ten days from now on"


def test_silence_is_reckoned_from_what_is_usual() -> None:
    usual = {"a": 60.0, "b": 3600.0, "c": 120.0}
    assert silence(usual, 0, 60, 2 * HOUR) is None
    assert silence(usual, 0, 60, 2 * HOUR + 1) == 0
    assert silence(usual, 0, 3600, 3 * HOUR) is None, "four of its intervals have to pass too"
    assert silence(usual, None, 60, 100 * DAY) is None
    assert silence({"a": 1.0, "b": 1.0}, 0, 60, 100 * DAY) is None


async def test_the_event_holds_the_source(told: Told, database: Database) -> None:
    await told.fails(START + 1)
    async with database.read() as connection:
        (raised,) = (await connection.exec_driver_sql("SELECT id FROM alert")).scalars()
        event = json.loads((await load_events(connection, [raised]))[raised].body)
    assert event["type"] == "source.down"
    assert set(event["data"]) == {"alert_id", "source"}
    wanted = {"name": "blog", "kind": "feed", "state": "down", "last_error": "it answers 503"}
    assert {key: event["data"]["source"][key] for key in wanted} == wanted
