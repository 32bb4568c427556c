"""Settings of kind `tiktok`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from monitor.settings.sources.base import SourceSection
from monitor.settings.sources.searching import Backfill, Queries
from monitor.settings.values import ApiKey, Interval


class TikTokSource(SourceSection):
    """Videos whose description holds one of the queries, and the comments below them, by TikTok's Research API.

    Only who has TikTok's approval may use that; `approved` says so, and without it nothing is asked. The quotas are the client's,
    shared by all its sources.
    """

    kind: Literal["tiktok"]
    queries: Queries
    approved: bool = False
    client_key: ApiKey | None = None
    client_secret: ApiKey | None = None
    interval: Interval = 21_600.0
    backfill: Backfill = 7 * 86_400.0
    comments: bool = True
    comments_for: Backfill = 7 * 86_400.0
    requests_per_day: Annotated[int, Field(ge=10, le=10_000_000)] = 1_000
    records_per_day: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = 100_000
