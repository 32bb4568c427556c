"""The daily cap of a model that costs: never exceeded by more than what is in flight, whoever asks and whatever is killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from monitor.store import Database
from monitor.times import now_ms
from tests.standins.chat_server import ChatServer, answer, claim, completion, error
from tests.standins.scripted import Reply
from tests.test_openai_reader import JUDGE, OTHER, TOPIC, fallbacks, from_zero, judged
from workers.openai.purse import Purse
from workers.openai.reader import OpenAIReader

__all__ = ["from_zero"]

DAY_MS = 86_400_000
MODEL = "openai-"
LOCAL = JUDGE.classifier.version


@asynccontextmanager
async def reading(
    server: ChatServer, database: Database, days: int = 0, **more: Any
) -> AsyncIterator[tuple[OpenAIReader, Purse]]:
    """A reader of its own, as each worker process has one, so many days from now."""
    settings = server.settings(**more)
    purse = Purse(database, settings, clock=lambda: now_ms() + days * DAY_MS)
    reader = OpenAIReader(JUDGE, TOPIC, settings, purse)
    try:
        yield reader, purse
    finally:
        await reader.close()


def model(text: str) -> Any:
    return answer(claim(text[:20], "treats-gout"))


async def by_model(reader: OpenAIReader, posts: int) -> int:
    """How many of so many posts the model judges, one after the other."""
    return sum([(await judged(reader, OTHER))[0].classifier.startswith(MODEL) for _ in range(posts)])


async def test_tokens_are_counted_as_the_server_counts_them(database: Database) -> None:
    async with ChatServer(model) as server, reading(server, database, daily_cap=2_500) as (reader, purse):
        assert await by_model(reader, 5) == 3  # a thousand each: the third begins below the cap
        assert await purse.spent() == 3_000
        assert len(server.requests) == 3
    assert fallbacks() == {"cap": 2}


async def test_money_is_counted_where_the_prices_are_known(database: Database) -> None:
    prices = {"daily_cap": 0.005, "price_in": 1.0, "price_out": 10.0}
    async with ChatServer(model) as server, reading(server, database, **prices) as (reader, purse):
        assert await by_model(reader, 5) == 3  # 900 tokens at a dollar and 100 at ten dollars a million
        assert await purse.spent() == pytest.approx(3 * 0.0019)


async def test_the_cap_holds_over_restarts_until_the_next_day(database: Database) -> None:
    async with ChatServer(model) as server:
        async with reading(server, database, daily_cap=1_500) as (reader, _):
            assert await by_model(reader, 3) == 2
        async with reading(server, database, daily_cap=1_500) as (reader, _):
            assert await by_model(reader, 2) == 0
        async with reading(server, database, days=1, daily_cap=1_500) as (reader, _):
            assert await by_model(reader, 3) == 2


async def test_the_cap_is_one_for_all_workers(database: Database) -> None:
    cap = {"daily_cap": 10_000, "concurrency": 4}
    async with (
        ChatServer(model) as server,
        reading(server, database, **cap) as (one, purse),
        reading(server, database, **cap) as (two, _),
    ):
        server.hold()
        judging = [asyncio.create_task(judged(reader, *[OTHER] * 40)) for reader in (one, two)]
        await server.until_in_hand(1)
        server.release()
        judgements = [judgement for some in await asyncio.gather(*judging) for judgement in some]
        asked = sum(judgement.classifier.startswith(MODEL) for judgement in judgements)
        assert len(judgements) == 80
        assert asked == len(server.requests)
        # What waits for its answer counts at its highest price, so that no more goes beyond than is in flight.
        assert 1 <= asked <= 10 + 8
        assert await purse.spent() == asked * 1_000


async def test_what_is_in_flight_when_a_process_is_killed_stays_counted(database: Database) -> None:
    async with ChatServer(model) as server:
        async with reading(server, database, daily_cap=5_000) as (reader, purse):
            server.hold()
            judging = asyncio.create_task(judged(reader, OTHER))
            await server.until_in_hand(1)
            judging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await judging
            server.release()
            assert await purse.spent() > 5_000, "the price is not known, so it is the highest"
        async with reading(server, database, daily_cap=5_000) as (reader, _):
            assert await by_model(reader, 1) == 0


async def test_what_cost_nothing_is_given_back_and_what_may_have_cost_is_not(database: Database) -> None:
    async with ChatServer(model) as server, reading(server, database, daily_cap=1e6) as (reader, purse):
        server.next(error(401))
        await judged(reader, OTHER)
        assert await purse.spent() == 0
        server.next(completion("no JSON", tokens=(70, 7)))
        await judged(reader, OTHER)
        assert await purse.spent() == 77
        server.next(Reply(drop=True))
        await judged(reader, OTHER)
        assert await purse.spent() > 4_000


async def test_a_cap_of_nothing_asks_nothing(database: Database) -> None:
    async with ChatServer(model) as server, reading(server, database, daily_cap=0) as (reader, _):
        assert await by_model(reader, 2) == 0
        assert server.requests == []


async def test_where_nobody_can_tell_what_was_spent_nothing_is(tmp_path: Any) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/none/none.sqlite")
    async with ChatServer(model) as server, reading(server, database, daily_cap=1e6) as (reader, _):
        (judgement,) = await judged(reader, OTHER)
        assert judgement.classifier == LOCAL
        assert server.requests == []
    assert fallbacks() == {"cap_unknown": 1}
    await database.close()
