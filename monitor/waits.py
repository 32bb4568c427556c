"""How long a server asks to be left alone."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 86_400.0  # seconds; a server that asks for more than a day is asked again after one


def wait_of(text: str, *, now: dt.datetime | None = None) -> float | None:
    """Seconds to wait by the text of a Retry-After header (seconds or a date), at most a day; None where it says nothing."""
    text = text.strip()[:64]
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return min(float(text), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return min(max((moment - (now or dt.datetime.now(dt.UTC))).total_seconds(), 0.0), LONGEST_WAIT)
