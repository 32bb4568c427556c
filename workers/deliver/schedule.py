"""What an attempt makes of a delivery: delivered, to be tried again and when, or dead. Pure."""

from __future__ import annotations

import datetime as dt
import random

import msgspec

from monitor.waits import wait_of
from monitor.words import DeliveryState

_S, _MIN, _H = 1_000, 60_000, 3_600_000
# Waits (ms) after the first attempt, the second, …; an attempt that fails after the last wait was the last.
WAITS = (5 * _S, 1 * _MIN, 5 * _MIN, 30 * _MIN, 2 * _H, 5 * _H, 10 * _H, 14 * _H, 20 * _H, 24 * _H)
GONE = 410
# With these a Retry-After speaks for the receiver as a whole: too much is asked of it, or it, or what is behind it, is not there.
_ASKS_TO_WAIT = (429, 502, 503, 504)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt. `status` is None where no answer came, `error` None where it succeeded.

    `taken` says whether it succeeded where no status can: mail has none, and a chat can refuse with 200.
    """

    ms: int
    status: int | None = None
    error: str | None = None
    text: str | None = None  # the beginning of what was answered
    retry_after: str | None = None  # the header, as it came
    taken: bool | None = None

    @property
    def delivered(self) -> bool:
        if self.taken is not None:
            return self.taken
        return self.status is not None and 200 <= self.status < 300


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery's next state, and when it is due (ms) if that is pending. Until `hold_ms` its endpoint is sent nothing."""

    state: DeliveryState
    next_ms: int = 0
    hold_ms: int = 0


def jitter() -> float:
    """A factor between 0.9 and 1.1, so that what failed together is not tried again together."""
    return random.uniform(0.9, 1.1)


def outcome(answer: Answer, tries: int, now: int, factor: float) -> Outcome:
    """What to do after the attempt that came `tries` others after (0: the first), at `now` (ms).

    429, 502, 503 and 504 may ask with Retry-After for a longer wait, of at most a day, and never for a shorter one. The endpoint
    is then sent nothing else for as long.
    """
    if answer.delivered:
        return Outcome(state="delivered")
    hold = _asked_ms(answer.retry_after, now) if answer.status in _ASKS_TO_WAIT else 0
    hold_ms = now + hold if hold else 0
    if answer.status == GONE or tries >= len(WAITS):
        return Outcome(state="dead", hold_ms=hold_ms)
    return Outcome(state="pending", next_ms=max(now + round(WAITS[tries] * factor), hold_ms), hold_ms=hold_ms)


def _asked_ms(header: str | None, now: int) -> int:
    """Milliseconds from `now` that a Retry-After asks for; 0 where it asks for nothing."""
    asked_s = wait_of(header or "", now=dt.datetime.fromtimestamp(now / 1000, dt.UTC))
    return round((asked_s or 0) * 1000)
