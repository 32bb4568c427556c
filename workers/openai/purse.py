"""The day's money, or tokens, for requests. What is spent stands in the database, the same for all workers and over restarts."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable

import msgspec

from monitor.settings import Classifier
from monitor.store import Database, StoreUnavailable, spending
from monitor.store.spending import Unit
from monitor.times import now_ms
from workers.openai.client import NoAnswer, Tokens

_NANO = 10**9


class Taken(msgspec.Struct, frozen=True):
    """What was taken for one request, and from which day's purse."""

    day: str
    amount: int


class Purse:
    """Gives until the day's cap is reached. Not more than what is in flight at that moment goes beyond it."""

    def __init__(self, database: Database, settings: Classifier, clock: Callable[[], int] = now_ms) -> None:
        """`settings.daily_cap` is set. `clock` (ms) says which day it is."""
        self._database = database
        self._clock = clock
        self._settings = settings
        self._unit: Unit = "nanodollars" if settings.priced else "tokens"
        self._cap = math.floor((settings.daily_cap or 0) * (_NANO if settings.priced else 1))

    async def take(self, estimate: Tokens) -> Taken:
        """Takes what a request may cost at most. Raises NoAnswer where the day's cap is reached, or where nobody can tell."""
        taken = Taken(self._today(), self._price(estimate))
        try:
            async with self._database.write() as connection:
                granted = await spending.take(connection, taken.day, self._unit, taken.amount, self._cap)
        except StoreUnavailable as error:
            raise NoAnswer("cap_unknown", f"what was spent today cannot be looked up: {error}") from None
        if not granted:
            raise NoAnswer("cap", f"classifier.daily_cap ({self.cap}) is reached; the model is asked again after midnight UTC")
        return taken

    async def settle(self, taken: Taken, tokens: Tokens) -> None:
        """Puts what the request really cost in place of what was taken. A database that is away leaves it at that."""
        try:
            async with self._database.write() as connection:
                await spending.correct(connection, taken.day, self._unit, self._price(tokens) - taken.amount)
        except StoreUnavailable:
            pass  # too much on record, which is the safe side

    async def spent(self) -> float:
        """What was spent today, in US dollars or in tokens. Raises StoreUnavailable."""
        async with self._database.read() as connection:
            amount = await spending.spent(connection, self._today(), self._unit)
        return amount / _NANO if self._settings.priced else amount

    @property
    def cap(self) -> str:
        """The cap, for people."""
        return self.shown(self._settings.daily_cap or 0)

    def shown(self, amount: float) -> str:
        """An amount, for people."""
        return "$" + f"{amount:,.4f}".rstrip("0").rstrip(".") if self._settings.priced else f"{amount:,.0f} tokens"

    def _price(self, tokens: Tokens) -> int:
        """In billionths of a dollar, or in tokens. Prices are per million tokens."""
        if not self._settings.priced:
            return tokens.sent + tokens.received
        dollars = tokens.sent * (self._settings.price_in or 0) + tokens.received * (self._settings.price_out or 0)
        return math.ceil(dollars * _NANO / 1e6)

    def _today(self) -> str:
        return f"{dt.datetime.fromtimestamp(self._clock() / 1000, dt.UTC):%Y-%m-%d}"
