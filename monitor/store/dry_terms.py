"""What a dry run is asked: a window, a threshold, and where wanted an endpoint with other filters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from monitor.settings.endpoint import Endpoint
from monitor.settings.model import Alerts
from monitor.settings.values import parse_duration
from monitor.store.filters import UNPRINTABLE, FilterError, Filters, number_range, parse_filters
from monitor.times import now_ms
from monitor.words import CLAIM_TYPES, VERDICTS, AlertKind, ClaimType, Verdict

WINDOW = "30d"
EVERY = "all"  # takes a filter of the endpoint away
_NUMBER = re.compile(r"-?(?:[0-9]{1,9}(?:\.[0-9]{0,340})?|\.[0-9]{1,340})(?:[eE][-+]?[0-9]{1,3})?")
PLATFORM = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
# Of the endpoint's lists; its platforms may be any.
CHOICES: dict[str, tuple[str, ...]] = {
    "events": (*get_args(AlertKind), EVERY),
    "types": (*CLAIM_TYPES, EVERY),
    "verdicts": (*VERDICTS, EVERY),
}
LISTS = ("events", "types", "verdicts", "platforms", "watch")  # of an endpoint
OF_ENDPOINT = (*LISTS, "endpoint_min_confidence", "max_per_hour")
OF_ALERTS = ("min_confidence", "spreading", "resurfaced_after")
NAMES = ("since", "until", *OF_ALERTS, "endpoint", *OF_ENDPOINT, "limit")
MOST = 1_000_000  # of anything that is counted


class NoEndpointError(FilterError):
    """The terms ask about an endpoint that is not there, or is not named."""


class TriedEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint's filters as they are tried."""

    name: str
    events: list[AlertKind]
    types: list[ClaimType]
    verdicts: list[Verdict]
    platforms: list[str]
    watch: list[str]
    min_confidence: float
    max_per_hour: int | None

    @classmethod
    def of(cls, endpoint: Endpoint) -> TriedEndpoint:
        return cls(**{name: getattr(endpoint, name) for name in cls.__struct_fields__})


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The window (ms; `until` is exclusive), the thresholds, and the endpoint as it is configured and as it is tried."""

    since: int
    until: int
    min_confidence: float
    spreading: tuple[int, ...]
    resurfaced_after_ms: int
    configured: Endpoint | None
    tried: Endpoint | None
    limit: int

    @property
    def numbers(self) -> tuple[int, int]:
        """The ids of mentions heard in the window, from inclusive to exclusive."""
        return number_range(Filters(since=self.since, until=self.until))


def parse_terms(given: Mapping[str, Sequence[str]], alerts: Alerts, endpoints: Sequence[Endpoint]) -> Terms:
    """Terms from the words a user wrote, `{"min_confidence": ["0.7"], "endpoint": ["case-system"]}`. Raises FilterError."""
    window = parse_filters({"since": [WINDOW], **{name: given[name] for name in ("since", "until", "limit") if given.get(name)}})
    configured = _endpoint(given, endpoints)
    return Terms(
        since=window.since or 0,
        until=now_ms() + 1 if window.until is None else window.until,
        min_confidence=_confidence(given, "min_confidence", alerts.min_confidence),
        spreading=tuple(sorted(set(_counts(given, "spreading", alerts.spreading)))),
        resurfaced_after_ms=round(_duration(given, "resurfaced_after", alerts.resurfaced_after) * 1000),
        configured=configured,
        tried=configured and configured.model_copy(update=_filters(given, configured)),
        limit=window.limit,
    )


def _endpoint(given: Mapping[str, Sequence[str]], endpoints: Sequence[Endpoint]) -> Endpoint | None:
    if not given.get("endpoint"):
        alone = next((name for name in OF_ENDPOINT if given.get(name)), None)
        if alone is not None:
            raise NoEndpointError(f"{alone} is a filter of an endpoint; name the endpoint too")
        return None
    name = given["endpoint"][-1]
    found = next((one for one in endpoints if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in endpoints) or "none"
        raise NoEndpointError(f"there is no endpoint {name[:64]!r}; configured: {known}")
    return found


def _filters(given: Mapping[str, Sequence[str]], endpoint: Endpoint) -> dict[str, Any]:
    """The filters that are tried in the place of the endpoint's own."""
    tried: dict[str, Any] = {name: _values(name, given[name]) for name in LISTS if given.get(name)}
    if not any(given.get("watch", ())):  # what is empty is as if it were not there
        tried.pop("watch", None)
    if given.get("max_per_hour"):
        budget = given["max_per_hour"][-1]
        tried["max_per_hour"] = None if budget == EVERY else _counts(given, "max_per_hour", ())[-1]
    return tried | {"min_confidence": _confidence(given, "endpoint_min_confidence", endpoint.min_confidence)}


def _values(name: str, written: Sequence[str]) -> list[str]:
    if EVERY in written:
        return []
    for value in written:
        if name == "watch":
            if UNPRINTABLE.search(value):
                raise FilterError(f"watch {value[:64]!r} is not a name on the watchlist; or write {EVERY}")
        elif name not in CHOICES:
            if not PLATFORM.fullmatch(value):
                raise FilterError(f"{name} {value[:64]!r} is not the name of a platform; or write {EVERY}")
        elif value not in CHOICES[name]:
            raise FilterError(f"{name} {value[:64]!r} is not one of {', '.join(CHOICES[name])}")
    return [value for value in written if value]


def _counts(given: Mapping[str, Sequence[str]], name: str, otherwise: Sequence[int]) -> Sequence[int]:
    """Whole numbers from 1, one or several."""
    written = given.get(name)
    if not written:
        return otherwise
    for value in written:
        if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= MOST):
            raise FilterError(f"{name} {value[:64]!r} is not a whole number from 1 to {MOST:,}")
    return [int(value[:9]) for value in written]


def _duration(given: Mapping[str, Sequence[str]], name: str, otherwise: float) -> float:
    written = (given.get(name) or [""])[-1]
    if not written:
        return otherwise
    try:
        return parse_duration(written)
    except ValueError as error:
        raise FilterError(f"{name}: {error}") from None


def _confidence(given: Mapping[str, Sequence[str]], name: str, otherwise: float) -> float:
    if not given.get(name):
        return otherwise
    written = given[name][-1]
    if not _NUMBER.fullmatch(written) or not 0 <= float(written) <= 1:
        raise FilterError(f"{name} {written[:64]!r} is not a number from 0 to 1")
    return abs(float(written))  # -0.0 is none
