"""What the kinds that read registers of evidence share: papers, trials, letters and recalls, which become news and no posts.

They are read by days, each poll some days behind where the last one ended, since registers are late and keep other clocks.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import msgspec

from monitor.collectors.base import SourceError, Span
from monitor.topic import Topic

Subject = Callable[[], Topic]  # the topic pack of the moment


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One poll of a register: when it began (Unix seconds), what is searched for, and from which day on.

    `anew`: the register was not read before with these searches; `until` is then empty, else the day up to which it was read.
    """

    began: float
    today: dt.date
    searches: tuple[str, ...]
    digest: str
    until: str
    since: dt.date
    anew: bool

    @property
    def covered(self) -> Span:
        """What is covered once the poll is through."""
        return Span(since=day_ms(self.since), until=round(self.began * 1000))


def reading(topic: Topic, until: str, searches: str, *, backfill: float, overlap: int, chosen: Sequence[str] = ()) -> Reading:
    """What to read now. `until` and `searches` are what the last poll left, a day and a digest; `chosen` are settings.

    `backfill` is in seconds, `overlap` in days. Raises SourceError where the topic pack says nothing of what to search for.
    """
    if not topic.searches:
        raise SourceError(f"the topic pack {topic.name!r} has no searches; write some into its topic.yaml (docs/topic-pack.md)")
    began = time.time()
    today = dt.datetime.fromtimestamp(began, dt.UTC).date()
    digest = _digest_of((*topic.searches, *chosen))
    anew = searches != digest or not until
    return Reading(
        began=began,
        today=today,
        searches=topic.searches,
        digest=digest,
        until="" if anew else until,
        since=_first_day(until, backfill, overlap, anew=anew, today=today),
        anew=anew,
    )


def _digest_of(parts: Iterable[str]) -> str:
    """A short name for what was searched for: when it changes, the register is read from the beginning."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()


def _first_day(until: str, backfill: float, overlap: int, *, anew: bool, today: dt.date) -> dt.date:
    earliest = today - dt.timedelta(seconds=backfill)
    try:
        before = min(dt.date.fromisoformat(until), today) - dt.timedelta(days=overlap)
    except ValueError:
        return earliest
    return min(before, earliest) if anew else before  # anew: at least as far back as a first time


def day_ms(day: dt.date) -> int:
    """When a day begins (ms, UTC)."""
    return round(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp() * 1000)


def date_ms(text: str) -> int | None:
    """When the day of a date begins (ms): `2026-11-04`, `2026-11` or `20261104`; None for anything else."""
    digits = text[:16].replace("-", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) in (6, 8)):
        return None
    try:
        return day_ms(dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:] or 1)))
    except ValueError:
        return None


def recent(keys: Sequence[str], before: Iterable[str], most: int) -> list[str]:
    """`before` with these keys in front, and at most `most` in all."""
    return list(islice(dict.fromkeys((*keys, *before)), most))
