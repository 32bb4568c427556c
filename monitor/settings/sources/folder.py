"""Settings of kind `folder`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from monitor.settings.sources.base import SourceSection
from monitor.settings.values import FilePath, Interval


class FolderSource(SourceSection):
    """Files of posts (CSV, JSONL) that are put into a folder. `platform`: where posts are from that do not say so themselves."""

    kind: Literal["folder"]
    path: Annotated[FilePath, Field(min_length=1)]
    platform: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")] | None = None
    interval: Interval = 10.0
