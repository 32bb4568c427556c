"""What a page is asked to show: the filters of all lists (`monitor.store.filters`), as a form in a browser sends them.

A form sends its empty fields too; they mean nothing. What cannot be used is shown beside the form, where it can be mended.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web

from monitor.api.pages.render import named
from monitor.store import Filters, parse_filters
from monitor.store.filters import NAMES, FilterError, Listed

DAYS = ("from", "to")  # of UTC, both included; for whoever thinks in days, beside `since` and `until`
_DAY_MS = 86_400_000
PERIODS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}


class Looking(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked: the filters, the page's own parameters, all that was given as it was written, and what is wrong with it."""

    filters: Filters
    mine: dict[str, list[str]]
    given: dict[str, list[str]]
    wrong: str | None = None

    @property
    def later(self) -> bool:
        """Whether it is a part of the list other than the first."""
        return bool(self.given.get("cursor"))

    @property
    def narrowed(self) -> bool:
        """Whether anything was asked for at all."""
        return bool(set(self.given) - {"cursor", "limit"})

    def has(self, name: str, value: str) -> bool:
        """Whether this value of a parameter was asked for."""
        return value in self.given.get(name, ())

    def first(self, name: str) -> str:
        """What was written for a parameter that is one word; empty where nothing was."""
        return " ".join(self.given.get(name, ()))


class Choice(msgspec.Struct, frozen=True):
    """A filter of which several values may be chosen: its name, what it is called, and the values with their words."""

    name: str
    title: str
    values: dict[str, str]


DOUBTFUL = Choice("doubtful", "Joins", {"true": "to be confirmed"})


def choice(name: str, values: Sequence[str], title: str | None = None) -> Choice:
    """A filter with these values, called by their own words."""
    return Choice(name, title or name.capitalize(), {value: named(value) for value in values})


def looking(
    request: web.Request,
    names: Sequence[str] | None = None,
    own: dict[str, Sequence[str]] | None = None,
    limit: int = 50,
    *,
    of: Listed = "mentions",
    unsaid: Mapping[str, Sequence[str]] | None = None,
) -> Looking:
    """What the address of a page asks for: filters of the list `of` something (all of them, or those of these names), and
    parameters of the page's own with what each may be (nothing named: anything). `unsaid` are filters that hold where the address
    says nothing of them."""
    own, names = own or {}, NAMES[of] if names is None else names
    days = DAYS if "since" in names else ()
    given: dict[str, list[str]] = {}
    for name, value in request.query.items():
        if value.strip():
            given.setdefault(name, []).append(value)
    mine = {name: given[name] for name in own if name in given}
    wrong = next((f"there is no filter {name[:40]!r} here" for name in given if name not in (*names, *days, *own)), None)
    for name, values in mine.items():
        if own[name] and not set(values) <= set(own[name]):
            wrong = wrong or f"{name} is one of {', '.join(own[name])}"
        if not all(value.isprintable() for value in values):
            wrong = wrong or f"{name} holds a character that cannot be looked for"
    asked = {name: values for name, values in given.items() if name in names}
    try:
        filters = parse_filters({"limit": [str(limit)], **(unsaid or {}), **asked}, of)
        filters = _within(filters, *(_day(name, given[name][-1]) if name in days and name in given else None for name in DAYS))
    except FilterError as error:
        return Looking(filters=Filters(limit=limit), mine={}, given=given, wrong=wrong or str(error))
    return Looking(filters=filters, mine=mine if wrong is None else {}, given=given, wrong=wrong)


def _day(name: str, written: str) -> int:
    """The number of a day of UTC, from 1970. Raises FilterError."""
    try:
        return (dt.date.fromisoformat(written) - dt.date(1970, 1, 1)).days
    except ValueError:
        raise FilterError(f"{name} {written[:40]!r} is not a day (2026-11-22)") from None


def _within(filters: Filters, first: int | None, last: int | None) -> Filters:
    """The filters, narrowed to the days from `first` to `last`."""
    since = [at for at in (filters.since, None if first is None else first * _DAY_MS) if at is not None]
    until = [at for at in (filters.until, None if last is None else (last + 1) * _DAY_MS) if at is not None]
    return msgspec.structs.replace(filters, since=max(since, default=None), until=min(until, default=None))
