"""Settings of kind `openfda`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from monitor.settings.sources.base import SourceSection
from monitor.settings.sources.searching import Backfill
from monitor.settings.values import ApiKey, Interval, UserAgent


class OpenFDASource(SourceSection):
    """What FDA publishes on the topic: warning letters (its feed, and the letters themselves), and recalls (openFDA).

    `recalls` are of which products. FDA's pages answer certain user agents only.
    """

    kind: Literal["openfda"]
    letters: bool = True
    recalls: list[Literal["drug", "device", "food"]] = Field(default=["drug", "device", "food"], max_length=3)
    api_key: ApiKey | None = None
    user_agent: UserAgent = "exowatch/0.1 (public-health monitor of public posts)"
    interval: Interval = 6 * 3_600.0
    backfill: Backfill = 30 * 86_400.0

    @model_validator(mode="after")
    def _something(self) -> OpenFDASource:
        if not self.letters and not self.recalls:
            raise ValueError("letters = false and recalls = [] leave nothing to be read; remove the source, or set one of them")
        if len(set(self.recalls)) < len(self.recalls):
            raise ValueError("recalls names a kind of product twice")
        return self
