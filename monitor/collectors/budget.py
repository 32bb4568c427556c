"""What a source may ask of its platform: a rate, caps a day or month, and patience with a peer that is unwell.

Kept in Redis by credential, so that all sources and processes that share one share its budget. What servers say of it themselves
(Retry-After, the many forms of rate headers) is believed above our own reckoning.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from monitor.collectors.base import SourceError
from monitor.stream import Buckets, Spending, Taken
from monitor.waits import LONGEST_WAIT, wait_of

PATIENCE_S = 15.0  # that a poll waits for its budget; beyond it the poll ends and says when to come back
FAILURES = 5  # in a row, until a peer is left alone for a while
_EPOCH = 1e8  # a reset that is greater is a moment in Unix seconds, else it counts from now
_DAY_S = 86_400
_LEFT = ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining")
_RESET = ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")


class Rate(msgspec.Struct, frozen=True):
    """So many tokens in so many seconds; they may be spent at once."""

    tokens: float
    seconds: float


class Cap(msgspec.Struct, frozen=True, kw_only=True):
    """So much of a unit in a day or month, as the clocks of `zone` have it."""

    unit: str
    most: float
    period: Literal["day", "month"] = "day"
    zone: str = "UTC"


class Distinct(msgspec.Struct, frozen=True):
    """So many different things within so many seconds; to ask for one of them again is free."""

    most: int
    seconds: float


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer's headers say: seconds to wait before anything else, requests left, and seconds until there are more."""

    wait: float | None = None
    left: float | None = None
    reset: float | None = None


class Budgets:
    """Where budgets are kept: in Redis, or with None nowhere, for a look at a source while no server runs."""

    def __init__(self, buckets: Buckets | None = None) -> None:
        self._buckets = buckets

    def of(
        self,
        kind: str,
        credential: str,
        *,
        rate: Rate | None = None,
        caps: Sequence[Cap] = (),
        distinct: Distinct | None = None,
        patience: float = PATIENCE_S,
    ) -> Budget:
        """The budget of a credential (a key, a token, or where there is none the host): one for all who name it alike."""
        digest = hashlib.blake2b(credential.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return Budget(self._buckets, f"{kind}:{digest}", kind, rate, caps, distinct, patience)


class Budget:
    """One credential's budget. Made by `Budgets.of`. All methods raise StreamUnavailable where Redis is away."""

    def __init__(
        self,
        buckets: Buckets | None,
        name: str,
        what: str,
        rate: Rate | None,
        caps: Sequence[Cap],
        distinct: Distinct | None,
        patience: float,
    ) -> None:
        self._buckets = buckets
        self._name = name
        self._what = what
        self._rate = rate
        self._caps = {cap.unit: cap for cap in caps}
        self._distinct = distinct
        self._patience = patience

    async def take(self, cost: float = 1, *, member: str = "", **spend: float) -> None:
        """Takes `cost` tokens, and of each capped unit what `spend` says (0 where nothing), before a request is made.

        Waits for tokens that will be there within the patience. Raises SourceError with `retry_after` for a longer wait, and
        where a cap is spent. `member` is what must be distinct.
        """
        if self._buckets is None:
            return
        waited = 0.0
        while True:
            taken = await self._taken(self._buckets, cost, member, spend)
            if taken.wait_ms == 0:
                return
            wait = self._until_next(taken.unit) if taken.unit else taken.wait_ms / 1000
            if taken.why in ("spent", "distinct") or waited + wait > self._patience:
                raise SourceError(self._sentence(taken, wait), retry_after=min(wait, LONGEST_WAIT))
            waited += wait
            await asyncio.sleep(wait)

    async def answered(self, status: int, headers: Mapping[str, str]) -> Told:
        """Notes what an answer said of the budget, and that the peer is well (or with 5xx that it is not); what it said."""
        told = told_by(headers)
        if status == 429 and told.wait is None:
            told = msgspec.structs.replace(told, wait=told.reset)
        await self.told(told, well=None if status == 429 else status < 500)
        return told

    async def told(self, told: Told, *, well: bool | None = None) -> None:
        """As `answered`, where a library has read the headers."""
        if self._buckets is None:
            return
        wait = told.wait or 0.0
        if told.left is not None and told.left < 1 and told.reset:
            wait = max(wait, told.reset)
        await self._buckets.told(self._name, wait_ms=round(wait * 1000), left=told.left, well=well, failures=FAILURES)

    async def failed(self) -> None:
        """Notes that no answer came."""
        await self.told(Told(), well=False)

    async def add(self, unit: str, amount: float) -> None:
        """Adds to what was spent of a unit, where it is known only from the answer; may be negative."""
        if self._buckets is not None:
            cap = self._caps[unit]
            await self._buckets.add(self._name, unit, _period(cap, _now()), amount, _kept(cap))

    async def left(self, unit: str) -> float:
        """How much of a capped unit may still be spent in the present period."""
        cap = self._caps[unit]
        if self._buckets is None:
            return cap.most
        return cap.most - await self._buckets.spent(self._name, unit, _period(cap, _now()))

    async def _taken(self, buckets: Buckets, cost: float, member: str, spend: Mapping[str, float]) -> Taken:
        now = _now()
        spending = [
            Spending(unit=unit, period=_period(cap, now), most=cap.most, cost=spend.get(unit, 0), kept_s=_kept(cap))
            for unit, cap in self._caps.items()
        ]
        rate, distinct = self._rate, self._distinct
        return await buckets.take(
            self._name,
            most=rate.tokens if rate else 0,
            per_ms=rate.tokens / rate.seconds / 1000 if rate else 0,
            cost=cost,
            member=member if distinct else "",
            distinct=distinct.most if distinct else 0,
            distinct_ms=round(distinct.seconds * 1000) if distinct else 0,
            spending=spending,
        )

    def _until_next(self, unit: str) -> float:
        return _seconds_left(self._caps[unit], _now())

    def _sentence(self, taken: Taken, wait: float) -> str:
        how_long = f"{wait:.0f} s" if wait < 7200 else f"{wait / 3600:.0f} h"
        if taken.why == "spent" and taken.unit:
            cap = self._caps[taken.unit]
            return f"what {self._what} may spend a {cap.period} ({cap.most:g} {cap.unit}) is spent; it goes on in {how_long}"
        if taken.why == "distinct" and self._distinct:
            days = self._distinct.seconds / _DAY_S
            return (
                f"{self._what} allows {self._distinct.most} different ones in {days:g} days, and all are used; next in {how_long}"
            )
        if taken.why == "resting":
            return f"{self._what} failed {FAILURES} times in a row and is left alone for {how_long}"
        if taken.why == "told":
            return f"{self._what} asked for patience; it goes on in {how_long}"
        return f"{self._what}'s rate limit is used up for another {how_long}"


def told_by(headers: Mapping[str, str], now: dt.datetime | None = None) -> Told:
    """What the headers of an answer (names in any case) say of the budget.

    Retry-After is seconds or a date. Remaining may have a fraction (Reddit); Reset is seconds from now (Reddit, IETF), Unix
    seconds (X, Bluesky) or an RFC 3339 time (Mastodon). The newest IETF form, `RateLimit: "x";r=50;t=30`, is read too.
    """
    now = now or _now()
    given = {name.lower(): value for name, value in headers.items() if "rate" in name.lower() or name.lower() == "retry-after"}
    left = next((_number(given[name]) for name in _LEFT if name in given), None)
    reset = next((_reset(given[name], now) for name in _RESET if name in given), None)
    if "ratelimit" in given:
        parts = dict(part.strip().partition("=")[::2] for part in given["ratelimit"][:500].split(";"))
        left = _number(parts["r"]) if left is None and "r" in parts else left
        reset = _number(parts["t"]) if reset is None and "t" in parts else reset
    if reset is not None:
        reset = min(max(reset, 0.0), LONGEST_WAIT)
    return Told(wait=wait_of(given.get("retry-after", ""), now=now), left=left, reset=reset)


def _number(text: str) -> float | None:
    text = text.strip()[:32]
    return float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else None


def _reset(text: str, now: dt.datetime) -> float | None:
    number = _number(text)
    if number is not None:
        return number - now.timestamp() if number > _EPOCH else number
    try:
        moment = dt.datetime.fromisoformat(text.strip()[:64])
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - now).total_seconds()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _local(cap: Cap, now: dt.datetime) -> dt.datetime:
    try:
        return now.astimezone(ZoneInfo(cap.zone))
    except ZoneInfoNotFoundError:  # a machine without a time zone database: the farthest west is never too early
        return now.astimezone(dt.timezone(-dt.timedelta(hours=12)))


def _period(cap: Cap, now: dt.datetime) -> str:
    return _local(cap, now).strftime("%Y%m%d" if cap.period == "day" else "%Y%m")


def _seconds_left(cap: Cap, now: dt.datetime) -> float:
    local = _local(cap, now)
    start = local.replace(hour=0, minute=0, second=0, microsecond=0)
    following = start + dt.timedelta(days=1)
    if cap.period == "month":
        following = (start.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    return max(1.0, following.timestamp() - now.timestamp())


def _kept(cap: Cap) -> int:
    return (2 if cap.period == "day" else 63) * _DAY_S
