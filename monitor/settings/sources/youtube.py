"""Settings of kind `youtube`."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from monitor.settings.sources.base import SourceSection
from monitor.settings.sources.searching import Backfill, Queries
from monitor.settings.values import ApiKey, Interval


class YouTubeSource(SourceSection):
    """Videos that a search finds, and the comments below them. The quotas are the key's, shared by all its sources."""

    kind: Literal["youtube"]
    queries: Queries
    key: ApiKey | None = None
    interval: Interval = 1_800.0
    backfill: Backfill = 7 * 86_400.0
    comments: bool = True
    comments_for: Backfill = 14 * 86_400.0
    searches_per_day: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    units_per_day: Annotated[int, Field(ge=100, le=100_000_000)] = 10_000

    @model_validator(mode="after")
    def _affordable(self) -> YouTubeSource:
        searches = len(self.queries) * 86_400 / self.interval
        if searches > self.searches_per_day:
            shortest = math.ceil(len(self.queries) * 1_440 / self.searches_per_day)
            raise ValueError(
                f"{len(self.queries)} queries at this interval are {searches:.0f} searches a day, and searches_per_day is "
                f'{self.searches_per_day}; with interval = "{shortest}m" they are enough'
            )
        return self
