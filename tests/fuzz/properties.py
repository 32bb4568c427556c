"""What holds of every judgement, whatever the text: no quote outside it, nothing over a second, twice the same."""

from __future__ import annotations

import math
import time

from monitor.words import Judgement
from tests import shipped

TRIES = 3  # a slow judgement is made again: what the machine does beside it costs processor time too


class BrokenError(Exception):
    """A text after whose judgement something does not hold."""


class Properties:
    """Judges texts by the shipped topic pack and raises BrokenError where the promises are not kept."""

    def __init__(self, longest_s: float = 1.0) -> None:
        self._longest_s = longest_s
        self._judge = shipped.judge()
        self.slowest_s = 0.0

    def first(self, text: str) -> Judgement:
        """Judges a text and holds the judgement against it. Time is the processor's own: others may be at work on the machine."""
        took = math.inf
        for _ in range(TRIES):
            started = time.process_time()
            judgement = self._judge.judge("m", text)
            took = min(took, time.process_time() - started)
            if took <= self._longest_s:
                break
        self.slowest_s = max(self.slowest_s, took)
        if took > self._longest_s:
            raise BrokenError(f"took {took:.2f} s")
        for claim in judgement.claims:
            if text[claim.start : claim.end] != claim.quote or not 0 <= claim.start < claim.end <= len(text):
                raise BrokenError(f"a quote that is not in the text: {claim}")
        if judgement.alert != any(claim.alerting for claim in judgement.claims):
            raise BrokenError("an alert that no claim carries, or a claim without its alert")
        return judgement

    def again(self, text: str, first: Judgement) -> None:
        """Judges the text once more: the same text has one judgement."""
        if self._judge.judge("m", text) != first:
            raise BrokenError("judged otherwise the second time")

    def unclocked(self, text: str) -> None:
        """Judges a text that something slows down, such as a tracer."""
        self._judge.judge("m", text)
