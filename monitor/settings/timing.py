"""When an endpoint may be sent to: so many alerts in a time, quiet hours in a time zone, digests on request. Pure."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, InstanceOf

_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_HOUR_MS = 3_600_000
_AT_ONCE_MS = 100  # what a rate allows in so short a time may go out together
_CLOCK = r"([01]?\d|2[0-3]):([0-5]\d)"
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class Rate:
    """So many alerts in a time, evenly spread: one every `gap_ms`, and at most `at_once` together."""

    gap_ms: float
    at_once: int


GENTLY = Rate(gap_ms=1_000.0, at_once=1)  # what chats and mailboxes bear


@dataclass(frozen=True)
class Quiet:
    """Hours of every day, of a clock somewhere, in which nothing is sent; past midnight where the end lies before the start."""

    start: dt.time
    end: dt.time
    zone: ZoneInfo

    def end_after(self, ms: int) -> int | None:
        """When the quiet hours end in which this moment lies (both ms); None where it lies in none."""
        today = dt.datetime.fromtimestamp(ms / 1000, self.zone).date()
        for day in (today - dt.timedelta(days=1), today):
            last = day + dt.timedelta(days=self.end <= self.start)
            begins, ends = _ms(day, self.start, self.zone), _ms(last, self.end, self.zone)
            if begins <= ms < ends:
                return ends
        return None


@dataclass(frozen=True)
class DigestPlan:
    """Everything in one message an hour, or a day at a time of a clock somewhere."""

    every: Literal["hourly", "daily"]
    at: dt.time = dt.time(0)
    zone: ZoneInfo = _UTC

    def next_after(self, ms: int) -> int:
        """When the first digest after this moment is due (both ms)."""
        if self.every == "hourly":
            return (ms // _HOUR_MS + 1) * _HOUR_MS
        day = dt.datetime.fromtimestamp(ms / 1000, self.zone).date()
        due = _ms(day, self.at, self.zone)
        return due if due > ms else _ms(day + dt.timedelta(days=1), self.at, self.zone)


def quiet_until(windows: Sequence[Quiet], ms: int) -> int | None:
    """When it is no longer quiet (ms), None where it is not quiet now. Windows that touch are one."""
    until = ms
    for _ in range(2 * len(windows) + 1):
        ends = [end for window in windows if (end := window.end_after(until)) is not None]
        if not ends:
            break
        until = max(ends)
    return until if until > ms else None


def parse_rate(value: object) -> object:
    """`"1/s"`, `"30/m"`, `"500/h"`. Raises ValueError for anything else."""
    if value is None or isinstance(value, Rate):
        return value
    match = re.fullmatch(r"\s*(\d{1,6})\s*/\s*([smhd])\s*", value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise ValueError('a rate is a number of alerts and a time: "1/s", "30/m", "500/h"')
    gap_ms = _UNIT_MS[match[2]] / int(match[1])
    return Rate(gap_ms=gap_ms, at_once=max(1, math.floor(_AT_ONCE_MS / gap_ms)))


def parse_quiet(value: object) -> object:
    """`"22:00-07:00 Europe/Berlin"`; without a zone it is UTC. Raises ValueError for anything else."""
    if isinstance(value, Quiet):
        return value
    match = re.fullmatch(rf"\s*{_CLOCK}\s*-\s*{_CLOCK}(?:\s+(\S+))?\s*", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('quiet hours are two times and a time zone: "22:00-07:00 Europe/Berlin"')
    start, end = dt.time(int(match[1]), int(match[2])), dt.time(int(match[3]), int(match[4]))
    if start == end:
        raise ValueError("quiet hours that end when they begin leave no time to send in; take the endpoint out instead")
    return Quiet(start, end, _zone(match[5]))


def parse_digest(value: object) -> object:
    """`"hourly"`, `"daily"` (at midnight UTC) or `"daily 08:00 Europe/Berlin"`. Raises ValueError for anything else."""
    if value is None or isinstance(value, DigestPlan):
        return value
    match = re.fullmatch(rf"\s*(?:(hourly)|daily(?:\s+{_CLOCK}(?:\s+(\S+))?)?)\s*", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a digest is "hourly", "daily" or "daily 08:00 Europe/Berlin"')
    if match[1]:
        return DigestPlan("hourly")
    return DigestPlan("daily", dt.time(int(match[2] or 0), int(match[3] or 0)), _zone(match[4]))


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name) if name else _UTC
    except (ValueError, OSError, LookupError):
        raise ValueError(f"there is no time zone {name!r}; write one as in Europe/Berlin, America/New_York or UTC") from None


def _ms(day: dt.date, time: dt.time, zone: ZoneInfo) -> int:
    return round(dt.datetime.combine(day, time, zone).timestamp() * 1000)


def _one_or_several(value: object) -> object:
    return [value] if isinstance(value, str | Quiet) else value


def some_time_is_left(windows: list[Quiet]) -> list[Quiet]:
    noon = 1_790_000_000_000  # any day does
    until = quiet_until(windows, noon)
    if until is not None and until - noon >= _UNIT_MS["d"]:
        raise ValueError("these quiet hours leave no time to send in; take the endpoint out instead")
    return windows


RateOf = Annotated[InstanceOf[Rate], BeforeValidator(parse_rate)]
QuietHours = Annotated[list[Annotated[InstanceOf[Quiet], BeforeValidator(parse_quiet)]], BeforeValidator(_one_or_several)]
DigestOf = Annotated[InstanceOf[DigestPlan], BeforeValidator(parse_digest)]
