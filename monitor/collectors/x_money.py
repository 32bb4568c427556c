"""What reading posts of X may cost: so much a day and a month (UTC), counted before the money is spent.

The most that an answer can hold is taken first, and what it did not hold given back. What became of an answer that never came
nobody knows, so its money stays spent, until on the same day the same is asked again: X charges for a post once a day.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from monitor.collectors.base import SourceError
from monitor.collectors.budget import Budget, Budgets, Cap, Rate
from monitor.settings.sources.x import XSource

MONTH, DAY = "US dollars", "dollars"
RATE = Rate(60, 900)


class Taken(msgspec.Struct, frozen=True):
    """Money for at most so many posts: `total` dollars on `day`, of which `doubtful` are those of an answer that never came."""

    ask: str
    posts: int
    total: float
    doubtful: float
    day: str


class Purse:
    """The money of a bearer token. Raises StreamUnavailable where Redis is away."""

    def __init__(self, source: XSource, budgets: Budgets, credential: str) -> None:
        self._source = source
        caps = (Cap(unit=MONTH, most=source.monthly_cap, period="month"), Cap(unit=DAY, most=source.daily_cap))
        self.budget: Budget = budgets.of("x", credential, rate=RATE, caps=caps)
        self._doubtful: dict[str, tuple[str, float]] = {}
        # By this process, which is all that is known where no budgets are kept.
        self._here: tuple[str, float] = ("", 0.0)

    async def take(self, ask: str, most: int, *, least: int, keep: float = 0.0) -> Taken:
        """Money for as many posts as can be paid, `most` at most. `ask` names what is asked, so that it is known again.

        Leaves `keep` (a part of 1) of the day's cap. Raises SourceError where it is not enough for `least`.
        """
        source, today = self._source, _today()
        day, doubtful = self._doubtful.get(ask, ("", 0.0))
        doubtful = doubtful if day == today else 0.0
        here = self._here[1] if self._here[0] == today else 0.0
        of_day = min(await self.budget.left(DAY), source.daily_cap - here) - keep * source.daily_cap + doubtful
        of_month = await self.budget.left(MONTH) + doubtful
        posts = min(most, int(min(of_day, of_month) / source.price + 1e-6))
        if posts < least:
            raise _spent(source, by_day=of_day <= of_month)
        total = max(posts * source.price, doubtful)
        cost = round(total - doubtful, 9)
        await self.budget.take(1, member="", **{MONTH: cost, DAY: cost})
        self._here = (today, here + cost)
        self._doubtful[ask] = (today, total)
        return Taken(ask, posts, total, doubtful, today)

    async def paid(self, taken: Taken, posts: int) -> None:
        """An answer came with so many posts."""
        self._doubtful.pop(taken.ask, None)
        await self._add(taken, posts * self._source.price - taken.total)

    async def refused(self, taken: Taken) -> None:
        """An answer came that X does not charge for."""
        self._doubtful[taken.ask] = (taken.day, taken.doubtful)
        await self._add(taken, taken.doubtful - taken.total)

    async def _add(self, taken: Taken, dollars: float) -> None:
        if dollars < 0 and taken.day != _today():
            return  # midnight came between: the day that it would be given back to is another one
        self._here = (taken.day, self._here[1] + dollars)
        for unit in (MONTH, DAY):
            await self.budget.add(unit, round(dollars, 9))


def _spent(source: XSource, *, by_day: bool) -> SourceError:
    now = dt.datetime.now(dt.UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
    then = midnight if by_day else (midnight.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    name, cap = ("daily_cap", source.daily_cap) if by_day else ("monthly_cap", source.monthly_cap)
    hours = (then - now).total_seconds() / 3600
    return SourceError(
        f"what X may cost ({name} = {cap:g} US dollars) is spent; it goes on in {hours:.0f} h", retry_after=max(1.0, hours * 3600)
    )


def _today() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y%m%d")
