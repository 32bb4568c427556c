"""Settings of kind `bluesky`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from monitor.settings.sources.base import SourceSection
from monitor.settings.values import Interval, Origin


class BlueskySource(SourceSection):
    """All public posts of Bluesky, by Jetstream. `hosts` are tried in turn; none means Bluesky's own for the protocol."""

    kind: Literal["bluesky"]
    protocol: Literal["v2", "v1"] = "v2"
    hosts: tuple[Origin, ...] = Field(default=(), max_length=8)
    compress: bool = True
    interval: Interval = 2.0
