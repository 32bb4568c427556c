"""Settings of kind `clinicaltrials`."""

from __future__ import annotations

from typing import Literal

from monitor.settings.sources.base import SourceSection
from monitor.settings.sources.searching import Backfill
from monitor.settings.values import Interval


class ClinicalTrialsSource(SourceSection):
    """New trials that ClinicalTrials.gov has for the topic's searches, and each change of their state."""

    kind: Literal["clinicaltrials"]
    interval: Interval = 6 * 3_600.0
    backfill: Backfill = 30 * 86_400.0
