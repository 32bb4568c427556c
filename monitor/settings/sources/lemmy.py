"""Settings of kind `lemmy`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from monitor.settings.sources.base import SourceSection
from monitor.settings.sources.searching import Backfill, Queries
from monitor.settings.values import Interval

Host = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$")]


class LemmySource(SourceSection):
    """Posts and comments that servers of Lemmy know, their own and those of others, with a query in them."""

    kind: Literal["lemmy"]
    servers: list[Host] = Field(default=["lemmy.world"], min_length=1, max_length=10)
    queries: Queries
    interval: Interval = 600.0
    backfill: Backfill = 7 * 86_400.0
