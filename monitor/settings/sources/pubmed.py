"""Settings of kind `pubmed`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from monitor.settings.sources.base import SourceSection
from monitor.settings.sources.searching import Backfill
from monitor.settings.values import ApiKey, Interval

Email = Annotated[str, StringConstraints(pattern=r"^(?:[!-?A-~]{1,64}@[!-?A-~]{1,190})?$")]


class PubMedSource(SourceSection):
    """New papers and retractions that PubMed has for the topic's searches, and retractions of what the register cites.

    `papers`: which of them are told; `clinical` are trials, systematic reviews and meta-analyses. Retractions always are.
    """

    kind: Literal["pubmed"]
    papers: Literal["clinical", "all", "none"] = "clinical"
    email: Email = ""
    api_key: ApiKey | None = None
    interval: Interval = 6 * 3_600.0
    backfill: Backfill = 30 * 86_400.0
