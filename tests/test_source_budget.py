"""What sources may ask of their platforms: counted once for all processes, and what servers say of it believed."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator

import pytest

from monitor.collectors.base import SourceError
from monitor.collectors.budget import Budget, Budgets, Cap, Distinct, Rate, told_by
from monitor.collectors.http import Fetcher, read_json
from monitor.stream import Stream
from tests.standins.scripted import Reply, ScriptedServer

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


@pytest.fixture
async def processes(redis_url: str) -> AsyncIterator[list[Budgets]]:
    """Two, on one Redis."""
    streams = [await Stream.open(redis_url) for _ in range(2)]
    yield [Budgets(stream.buckets) for stream in streams]
    for stream in streams:
        await stream.close()


async def refused(budget: Budget, member: str = "", **spend: float) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await budget.take(member=member, **spend)
    assert "\n" not in str(caught.value)
    return caught.value


async def test_processes_with_one_credential_share_its_rate(processes: list[Budgets]) -> None:
    one, other = (budgets.of("forum", "the key", rate=Rate(10, 3600), patience=1) for budgets in processes)
    await asyncio.gather(*(budget.take() for budget in (one, other) for _ in range(5)))
    for budget in (one, other):
        problem = await refused(budget)
        assert 300 < (problem.retry_after or 0) <= 361, "one token comes back every 360 s"
    await processes[0].of("forum", "another key", rate=Rate(10, 3600)).take()


async def test_a_short_wait_is_waited_for(processes: list[Budgets]) -> None:
    budget = processes[0].of("forum", "key", rate=Rate(1, 0.2))
    started = time.perf_counter()
    for _ in range(3):
        await budget.take()
    assert 0.35 < time.perf_counter() - started < 5


async def test_a_cap_is_kept_whole_and_taken_only_with_the_rate(processes: list[Budgets]) -> None:
    caps = [Cap(unit="units", most=100), Cap(unit="usd", most=1.0, period="month")]
    budget = processes[0].of("tube", "key", caps=caps)
    await budget.take(units=90, usd=0.5)
    problem = await refused(budget, units=20)
    assert "100 units" in str(problem)
    assert 0 < (problem.retry_after or 0) <= 86_400
    assert await processes[1].of("tube", "key", caps=caps).left("units") == 10, "what was refused is not spent"
    await budget.take(units=10)
    await budget.add("usd", 0.4)
    assert await budget.left("usd") == pytest.approx(0.1)
    await refused(budget, usd=0.2)


async def test_a_day_ends_where_the_platform_has_its_clocks(processes: list[Budgets]) -> None:
    budget = processes[0].of("tube", "key", caps=[Cap(unit="units", most=1, zone="America/Los_Angeles")])
    await budget.take(units=1)
    now = dt.datetime.now(dt.UTC)
    wait = (await refused(budget, units=1)).retry_after or 0
    assert (now + dt.timedelta(seconds=wait)).hour in (7, 8), "midnight there"


async def test_only_so_many_different_things_are_asked_for(processes: list[Budgets]) -> None:
    budget = processes[0].of("pictures", "key", distinct=Distinct(2, 7 * 86_400))
    for tag in ("a", "b", "a", "a"):
        await budget.take(member=tag)
    assert "2 different ones in 7 days" in str(await refused(budget, member="c"))
    await processes[1].of("pictures", "key", distinct=Distinct(2, 7 * 86_400)).take(member="b")


@pytest.mark.parametrize(
    ("headers", "wait", "left", "reset"),
    [
        ({"Retry-After": "120"}, 120, None, None),
        ({"retry-after": "Sun, 22 Nov 2026 12:02:00 GMT"}, 120, None, None),
        ({"x-ratelimit-remaining": "97.5", "x-ratelimit-used": "2", "x-ratelimit-reset": "450"}, None, 97.5, 450),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "5.0"}, None, 0, 5),
        ({"x-rate-limit-remaining": "3", "x-rate-limit-reset": str(int(NOW.timestamp()) + 60)}, None, 3, 60),
        ({"RateLimit-Limit": "30", "RateLimit-Remaining": "1", "RateLimit-Reset": str(int(NOW.timestamp()) + 9)}, None, 1, 9),
        ({"X-RateLimit-Remaining": "299", "X-RateLimit-Reset": "2026-11-22T12:05:00.000Z"}, None, 299, 300),
        ({"RateLimit": '"default";r=50;t=30'}, None, 50, 30),
        ({"X-RateLimit-Reset": "soon", "X-RateLimit-Remaining": "-1", "Retry-After": "never"}, None, None, None),
        ({"X-RateLimit-Reset": "99999999", "Content-Type": "text/plain"}, None, None, 86_400),
        ({}, None, None, None),
    ],
)
def test_rate_headers_are_read_in_every_form(
    headers: dict[str, str], wait: float | None, left: float | None, reset: float | None
) -> None:
    told = told_by(headers, NOW)
    assert (told.wait, told.left, told.reset) == (wait, left, reset)


async def test_what_a_server_says_holds_for_all_processes(processes: list[Budgets]) -> None:
    async with ScriptedServer() as server:
        ways = [Fetcher(base_url=server.origin, budget=budgets.of("forum", "key", patience=0.1)) for budgets in processes]
        server.next(Reply(200, "{}", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "300"}))
        assert read_json(await ways[0].get("https://forum.example/a")) == {}
        with pytest.raises(SourceError, match="asked for patience") as caught:
            await ways[1].get("https://forum.example/a")
        assert 290 < (caught.value.retry_after or 0) <= 300
        assert len(server.asked) == 1
        for way in ways:
            await way.close()


async def test_a_peer_that_fails_again_and_again_is_left_alone(processes: list[Budgets]) -> None:
    async with ScriptedServer() as server:
        ways = [Fetcher(base_url=server.origin, budget=budgets.of("forum", "key", patience=0.1)) for budgets in processes]
        server.next(*[Reply(503)] * 5)
        for _ in range(5):
            await ways[0].get("https://forum.example/a")
        with pytest.raises(SourceError, match="failed 5 times in a row"):
            await ways[1].get("https://forum.example/a")
        assert len(server.asked) == 5
        for way in ways:
            await way.close()


async def test_one_success_and_the_failures_are_forgotten(processes: list[Budgets]) -> None:
    budget = processes[0].of("forum", "key")
    for _ in range(4):
        await budget.failed()
    await budget.answered(200, {})
    await budget.failed()
    await budget.take()


async def test_a_post_is_sent_once_and_a_page_is_no_data() -> None:
    async with ScriptedServer() as server:
        way = Fetcher(base_url=server.origin)
        server.next(Reply(302, "", {"Location": "/elsewhere"}), Reply(200, "<html>blocked</html>"))
        assert (await way.post("https://forum.example/query", b'{"q": 1}')).status == 302
        with pytest.raises(SourceError, match="a web page instead of data"):
            read_json(await way.get("https://forum.example/query"))
        assert [(one.method, one.path) for one in server.asked] == [("POST", "/query"), ("GET", "/query")]
        await way.close()
