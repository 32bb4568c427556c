"""Settings of kind `x`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from monitor.settings.sources.base import SourceSection
from monitor.settings.sources.searching import distinct
from monitor.settings.values import ApiKey, Interval, parse_duration

LONGEST = 512  # characters of a query, with what is added here
LEAST = 100  # posts that a day's money has to buy: one full page


def _backfill(seconds: float) -> float:
    if not 60 <= seconds <= 7 * 86_400 - 3_600:
        raise ValueError('backfill lies between "1m" and "167h": X searches the last seven days')
    return seconds


Dollars = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
Query = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f](?:[^\x00-\x1f\x7f]{0,510}[^\s\x00-\x1f])?$")]


class XSource(SourceSection):
    """Posts of the last seven days that X's search finds. Every post read costs money; the caps are the token's, shared by all
    its sources, and in US dollars."""

    kind: Literal["x"]
    queries: Annotated[list[Query], Field(min_length=1, max_length=20), AfterValidator(distinct)]
    bearer_token: ApiKey | None = None
    interval: Interval = 900.0
    backfill: Annotated[float, BeforeValidator(parse_duration), AfterValidator(_backfill)] = 86_400.0
    reposts: bool = False
    price: Dollars = 0.005
    daily_cap: Dollars = 2.0
    monthly_cap: Dollars = 20.0

    @model_validator(mode="after")
    def _possible(self) -> XSource:
        for query in self.queries:
            if len(self.search_for(query)) > LONGEST:
                room = LONGEST - len(self.search_for(query)) + len(query)
                raise ValueError(f"the query that begins with {query[:20]!r} has {len(query)} characters; X takes {room} here")
        for name in ("daily_cap", "monthly_cap"):
            if getattr(self, name) < LEAST * self.price:
                raise ValueError(f"{name} buys fewer than {LEAST} posts; make it {LEAST * self.price:g} or more")
        return self

    def search_for(self, query: str) -> str:
        """What X is asked for."""
        return query if self.reposts else f"({query}) -is:retweet"
