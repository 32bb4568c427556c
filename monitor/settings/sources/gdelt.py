"""Settings of kind `gdelt`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from monitor.settings.sources.base import SourceSection
from monitor.settings.sources.searching import Backfill, Queries
from monitor.settings.values import Interval


class GdeltSource(SourceSection):
    """Headlines of the world's news sites that GDELT finds for a query. `platform` names where its articles come from."""

    kind: Literal["gdelt"]
    queries: Queries
    platform: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")] = "news"
    interval: Interval = 900.0
    backfill: Backfill = 86_400.0
