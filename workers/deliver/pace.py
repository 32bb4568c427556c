"""How many may be sent now, by an endpoint's rate: evenly spread over time, and counted for all senders together. Pure."""

from __future__ import annotations

import math

from monitor.settings.endpoint import Endpoint
from monitor.settings.timing import GENTLY, Rate


def rate_of(endpoint: Endpoint) -> Rate | None:
    """How fast an endpoint may be sent to; None: as fast as it takes them."""
    return endpoint.rate or (GENTLY if endpoint.kind == "apprise" else None)


def allowed(rate: Rate, spent_until: float, now: int) -> int:
    """How many may go out at `now` (ms), where the rate is used up until `spent_until` (ms)."""
    free = now + rate.at_once * rate.gap_ms - max(float(now), spent_until)
    return max(0, int(free / rate.gap_ms + 1e-3))  # a time of today in ms is rounded to 2e-4


def spent(rate: Rate, spent_until: float, now: int, taken: int) -> float:
    """Up to when the rate is used up after `taken` more."""
    return max(float(now), spent_until) + taken * rate.gap_ms


def next_ms(rate: Rate, spent_until: float) -> int:
    """When the next one may go out (ms)."""
    return math.ceil(spent_until - (rate.at_once - 1) * rate.gap_ms)
