"""Times: integers of milliseconds since 1970 in UTC inside the program, RFC 3339 text where a user sees them."""

from __future__ import annotations

import datetime as dt
import time
from typing import overload


def now_ms() -> int:
    """The present, in milliseconds since 1970 (UTC)."""
    return time.time_ns() // 1_000_000


@overload
def rfc3339(ms: int) -> str: ...


@overload
def rfc3339(ms: int | None) -> str | None: ...


def rfc3339(ms: int | None) -> str | None:
    """A time as users see it, `2026-11-22T12:00:00.000Z`; None stays None. Years beyond 9999 are cut there."""
    if ms is None:
        return None
    try:
        moment = dt.datetime.fromtimestamp(ms / 1000, dt.UTC)
    except (OverflowError, ValueError, OSError):
        moment = dt.datetime.max.replace(tzinfo=dt.UTC) if ms > 0 else dt.datetime.min.replace(tzinfo=dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> int:
    """Milliseconds of an RFC 3339 time (a missing zone means UTC) or of a plain number of Unix seconds.

    Raises ValueError for anything else.
    """
    try:
        return round(float(text) * 1000)
    except (ValueError, OverflowError):
        pass
    moment = dt.datetime.fromisoformat(text.strip())
    return round((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() * 1000)
