"""What an attempt makes of a delivery: delivered, to be tried again and when, or dead. Pure."""

from __future__ import annotations

import datetime as dt
import random
import re
from email.utils import parsedate_to_datetime

import msgspec

from monitor.words import DeliveryState

_S, _MIN, _H = 1_000, 60_000, 3_600_000
# Waits (ms) after the first attempt, the second, …; an attempt that fails after the last wait was the last.
WAITS = (5 * _S, 1 * _MIN, 5 * _MIN, 30 * _MIN, 2 * _H, 5 * _H, 10 * _H, 14 * _H, 20 * _H, 24 * _H)
MAX_RETRY_AFTER = 24 * _H
GONE = 410
_ASKS_TO_WAIT = (429, 503)


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
    """The delivery's next state, and when it is due (ms) if that is pending."""

    state: DeliveryState
    next_ms: int = 0


def jitter() -> float:
    """A factor between 0.9 and 1.1, so that what failed together is not tried again together."""
    return random.uniform(0.9, 1.1)


def outcome(answer: Answer, tries: int, now: int, factor: float) -> Outcome:
    """What to do after the attempt that came `tries` others after (0: the first), at `now` (ms).

    429 and 503 may ask for a longer wait with Retry-After, of at most a day; never for a shorter one.
    """
    if answer.delivered:
        return Outcome(state="delivered")
    if answer.status == GONE or tries >= len(WAITS):
        return Outcome(state="dead")
    wait = round(WAITS[tries] * factor)
    if answer.status in _ASKS_TO_WAIT:
        wait = max(wait, min(retry_after_ms(answer.retry_after, now), MAX_RETRY_AFTER))
    return Outcome(state="pending", next_ms=now + wait)


def retry_after_ms(header: str | None, now: int) -> int:
    """Milliseconds from `now` that a Retry-After asks for, as seconds or as an HTTP date; 0 where it asks for nothing."""
    header = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,10}", header):
        return int(header) * 1000
    try:
        moment = parsedate_to_datetime(header)
        if moment.tzinfo is None:  # RFC 2822's "-0000"; HTTP dates are in GMT
            moment = moment.replace(tzinfo=dt.UTC)
        return max(0, round(moment.timestamp() * 1000) - now)
    except (ValueError, OverflowError):
        return 0
