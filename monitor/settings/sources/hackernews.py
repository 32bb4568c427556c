"""Settings of kind `hackernews`."""

from __future__ import annotations

from typing import Literal

from monitor.settings.sources.base import SourceSection
from monitor.settings.sources.searching import Backfill, Queries


class HackerNewsSource(SourceSection):
    """Stories and comments of Hacker News that hold all words of a query."""

    kind: Literal["hackernews"]
    queries: Queries
    backfill: Backfill = 86_400.0
