"""The purse of a model that costs: prices, days, the cap, and how amounts are written for people."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.settings import Classifier
from monitor.store import Database
from workers.openai.client import NOTHING, NoAnswer, Tokens
from workers.openai.purse import Purse, Taken

MIDNIGHT_MS = round(dt.datetime(2026, 11, 22, tzinfo=dt.UTC).timestamp() * 1000)
NOON_MS = MIDNIGHT_MS + 43_200_000


def purse(database: Database, at_ms: int = NOON_MS, **more: Any) -> Purse:
    settings = Classifier(kind="openai", base_url="http://model.example/v1", model="reader-1", **more)
    return Purse(database, settings, clock=lambda: at_ms)


@pytest.fixture
def closed(tmp_path: Path) -> Database:
    """A database that cannot be opened."""
    return Database(f"sqlite+aiosqlite:///{tmp_path}/none/none.sqlite")


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("price_in", "price_out", "tokens", "nanodollars"),
    [
        (2.5, 10.0, (1_000, 100), 3_500_000),
        (2.5, 10.0, (0, 0), 0),
        (0.0, 10.0, (1_000, 100), 1_000_000),
        (2.5, 0.0, (1_000, 100), 2_500_000),
        (0.0001, 0.0, (1, 5), 1),  # a begun billionth is a whole one
    ],
)
async def test_prices_are_dollars_for_a_million_tokens(
    database: Database, price_in: float, price_out: float, tokens: tuple[int, int], nanodollars: int
) -> None:
    mine = purse(database, daily_cap=5, price_in=price_in, price_out=price_out)
    assert await mine.take(Tokens(*tokens)) == Taken("2026-11-22", nanodollars)
    assert await mine.spent() == nanodollars / 10**9


async def test_without_prices_both_directions_count_as_tokens(database: Database) -> None:
    mine = purse(database, daily_cap=10_000)
    assert await mine.take(Tokens(800, 90)) == Taken("2026-11-22", 890)
    assert await mine.spent() == 890


async def test_what_it_really_cost_takes_the_place_of_what_was_taken(database: Database) -> None:
    mine = purse(database, daily_cap=10_000)
    first, second = await mine.take(Tokens(800, 90)), await mine.take(Tokens(100, 0))
    await mine.settle(first, Tokens(700, 20))
    assert await mine.spent() == 720 + 100
    await mine.settle(second, Tokens(100, 50))
    assert await mine.spent() == 720 + 150


async def test_what_was_taken_yesterday_is_settled_yesterday(database: Database) -> None:
    before, after = purse(database, MIDNIGHT_MS - 1, daily_cap=10_000), purse(database, MIDNIGHT_MS, daily_cap=10_000)
    taken = await before.take(Tokens(800, 0))
    assert await after.take(Tokens(5, 0)) == Taken("2026-11-22", 5)
    await after.settle(taken, Tokens(1, 0))
    assert (taken.day, await before.spent(), await after.spent()) == ("2026-11-21", 1, 5)


@pytest.mark.usefixtures("far_from_utc")
async def test_the_day_is_that_of_utc_wherever_the_machine_stands(database: Database) -> None:
    for at_ms, day in (
        (MIDNIGHT_MS - 1, "2026-11-21"),
        (MIDNIGHT_MS, "2026-11-22"),
        (NOON_MS * 2 - MIDNIGHT_MS - 1, "2026-11-22"),
    ):
        assert (await purse(database, at_ms, daily_cap=10_000).take(NOTHING)).day == day


@pytest.mark.parametrize(
    ("more", "first", "cap"),
    [
        ({"daily_cap": 10_000}, Tokens(9_000, 1_000), "10,000 tokens"),
        ({"daily_cap": 0.5, "price_in": 1, "price_out": 1}, Tokens(500_000, 0), "$0.5"),
    ],
)
async def test_a_cap_that_is_reached_gives_nothing_more(
    database: Database, more: dict[str, Any], first: Tokens, cap: str
) -> None:
    mine = purse(database, **more)
    await mine.take(Tokens(first.sent - 1, first.received))
    await mine.take(Tokens(1, 0))  # one below the cap is below it
    with pytest.raises(NoAnswer) as caught:
        await mine.take(Tokens(1, 0))
    assert (caught.value.reason, caught.value.tokens) == ("cap", NOTHING)
    assert str(caught.value) == f"classifier.daily_cap ({cap}) is reached; the model is asked again after midnight UTC"


@pytest.mark.parametrize("prices", [{}, {"price_in": 1, "price_out": 1}])
async def test_a_cap_of_zero_gives_nothing_at_all(database: Database, prices: dict[str, float]) -> None:
    with pytest.raises(NoAnswer):
        await purse(database, daily_cap=0, **prices).take(Tokens(1, 0))


async def test_dollars_and_tokens_are_counted_apart(database: Database) -> None:
    await purse(database, daily_cap=10_000).take(Tokens(10_000, 0))
    assert await purse(database, daily_cap=1, price_in=1, price_out=1).spent() == 0


async def test_where_nobody_can_tell_it_gives_nothing_and_says_so(closed: Database) -> None:
    with pytest.raises(NoAnswer) as caught:
        await purse(closed, daily_cap=10_000).take(NOTHING)
    assert caught.value.reason == "cap_unknown"
    assert str(caught.value).startswith("what was spent today cannot be looked up: ")
    assert len(str(caught.value)) > len("what was spent today cannot be looked up: None")
    await purse(closed, daily_cap=10_000).settle(Taken("2026-11-22", 5), NOTHING)  # what was taken stays
    await closed.close()


@pytest.mark.parametrize(
    ("amount", "dollars", "tokens"),
    [
        (0, "$0", "0 tokens"),
        (5, "$5", "5 tokens"),
        (100, "$100", "100 tokens"),
        (0.5, "$0.5", None),
        (0.0019, "$0.0019", None),
        (1_234.5, "$1,234.5", None),
        (1_234_567, "$1,234,567", "1,234,567 tokens"),
    ],
)
async def test_amounts_for_people(closed: Database, amount: float, dollars: str, tokens: str | None) -> None:
    assert purse(closed, daily_cap=amount, price_in=1, price_out=1).shown(amount) == dollars
    assert purse(closed, daily_cap=amount, price_in=1, price_out=1).cap == dollars
    if tokens:
        assert purse(closed, daily_cap=10_000).shown(amount) == tokens
