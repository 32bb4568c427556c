"""The filters of every list: one definition for the command line, HTTP and the pages."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec

from monitor.ids import stored_id
from monitor.settings.values import parse_duration
from monitor.store.search import Term, parse_query
from monitor.times import now_ms, parse_time
from monitor.words import CLAIM_STATES, CLAIM_TYPES, STANCES, VERDICTS, AlertKind

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_SIMPLE = re.compile(r"[A-Za-z0-9._-]{1,128}")
_CURSOR = re.compile(rf"(?:n[0-9]{{1,19}}|s{_SIMPLE.pattern})(?:~(?:n[0-9]{{1,19}}|s{_SIMPLE.pattern}))?")
# Seconds since 1970, of 1973 at the earliest: what is less is a duration whose unit was forgotten, and would mean "since ever".
UNIX = re.compile(r"[1-9][0-9]{8,11}(?:\.[0-9]{1,6})?")
_NEVER = 2**53  # ms; no calendar goes so far, and every database can hold what is less
LONGEST_NAME = 100  # characters; no source, platform, claim, watched name or person has a longer one
_NAMED = ("source", "platform", "claim", "watch", "assignee")
_QUOTED = 64  # characters of what was asked that an error repeats
YES_NO = ("true", "false")
NOBODY = "nobody"  # whose hands an alert is in that nobody took
ANY = "all"

Listed = Literal["mentions", "claims", "alerts"]  # what a list is of; sources and deliveries are asked for by their mentions
AlertState = Literal["open", "done"]

FILTER_NAMES = (
    *("since", "until", "type", "verdict", "stance", "source", "platform", "text", "claim", "watch", "doubtful"),
    *("limit", "cursor"),
)
NAMES: dict[Listed, tuple[str, ...]] = {
    "mentions": FILTER_NAMES,
    "claims": ("state", *FILTER_NAMES),
    "alerts": ("state", "kind", "assignee", *FILTER_NAMES),
}
CHOICES: dict[str, tuple[str, ...]] = {
    "type": CLAIM_TYPES,
    "verdict": VERDICTS,
    "stance": STANCES,
    "kind": get_args(AlertKind),
    "doubtful": YES_NO,
}
STATES: dict[Listed, tuple[str, ...]] = {"claims": CLAIM_STATES, "alerts": (*get_args(AlertState), ANY)}
SINGLE = ("since", "until", "text", "doubtful", "limit", "cursor")  # any other may be repeated, which means "or"
# What each keeps, for whoever lists them: the command line's help, the description of the API, the tools of assistants.
EXPLAINED = {
    "since": "Heard since: a duration back from now (24h, 7d) or a time.",
    "until": "Heard before: a duration back from now or a time.",
    "type": "Claim type.",
    "verdict": "Verdict.",
    "stance": "Stance.",
    "source": "Name of a source.",
    "platform": "Name of a platform.",
    "text": 'All these words, case and accents folded; "a phrase"; prefix*.',
    "claim": "Id of a claim.",
    "watch": "Name on the watchlist.",
    "doubtful": "Joined to a claim as the likeliest, and confirmed by nobody yet.",
    "kind": "Kind of alert.",
    "assignee": f"Name of who has the alert in hand; {NOBODY}: in nobody's.",
    "limit": f"How many at most (default {DEFAULT_LIMIT}, at most {MAX_LIMIT}).",
    "cursor": "Go on where another list ended: its `next`.",
}
STATE_EXPLAINED: dict[Listed, str] = {
    "claims": "What people said of the claim.",
    "alerts": "Whether the alert is dealt with.",
}


class FilterError(ValueError):
    """A filter that cannot be used; the message names it and what is allowed."""


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is asked for. Values of one filter mean "or", different filters mean "and"; empty means any.

    `since` and `until` (exclusive) are times at which exowatch heard the post, in ms. `doubtful` asks for an occurrence that was
    joined to its claim as the likeliest. `state` is of claims or of alerts, by what the list is of; `kind` and `assignee` are of
    alerts. `cursor`: the last item of the page before.
    """

    since: int | None = None
    until: int | None = None
    type: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()
    stance: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()
    claim: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    text: tuple[Term, ...] = ()
    doubtful: bool = False
    state: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    assignee: tuple[str, ...] = ()
    limit: int = DEFAULT_LIMIT
    cursor: tuple[Any, ...] | None = None

    @property
    def of_occurrence(self) -> bool:
        """Whether the filters ask for something about a mention's claims."""
        return bool(self.type or self.verdict or self.stance or self.claim or self.doubtful)


def parse_filters(given: Mapping[str, Sequence[str]], of: Listed = "mentions") -> Filters:
    """Filters of a list from the words a user wrote, `{"type": ["safety"], "since": ["24h"]}`. Raises FilterError."""
    unknown = sorted(set(given) - set(NAMES[of]))
    if unknown:
        raise FilterError(f"unknown filter {unknown[0][:_QUOTED]!r}; known are {', '.join(NAMES[of])}")
    for name, values in given.items():
        if any(UNPRINTABLE.search(value) for value in values):  # no database takes them, and no stored word holds them
            raise FilterError(f"{name} holds a character that cannot be looked for")
        if name in _NAMED and any(len(value) > LONGEST_NAME for value in values):
            raise FilterError(f"{name} {values[0][:_QUOTED]!r}… is longer than any name is")
    try:
        return Filters(
            since=_moment("since", _last(given, "since")),
            until=_moment("until", _last(given, "until")),
            type=_choices(given, "type"),
            verdict=_choices(given, "verdict"),
            stance=_choices(given, "stance"),
            source=tuple(given.get("source", ())),
            platform=tuple(given.get("platform", ())),
            claim=tuple(given.get("claim", ())),
            state=() if ANY in (states := _choices(given, "state", STATES.get(of))) else states,
            kind=_choices(given, "kind"),
            assignee=tuple(given.get("assignee", ())),
            watch=tuple(given.get("watch", ())),
            doubtful=_choices(given, "doubtful")[-1:] == ("true",),
            text=tuple(parse_query(asked)) if (asked := " ".join(given.get("text", ())).strip()) else (),
            limit=_limit(_last(given, "limit")),
            cursor=parse_cursor(_last(given, "cursor")),
        )
    except FilterError:
        raise
    except ValueError as error:
        raise FilterError(str(error)) from None


def _last(given: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = given.get(name)
    return values[-1] if values else None


def _choices(given: Mapping[str, Sequence[str]], name: str, choices: Sequence[str] | None = None) -> tuple[str, ...]:
    choices = choices or CHOICES.get(name, ())
    for value in given.get(name, ()):
        if value not in choices:
            raise FilterError(f"{name} {value[:_QUOTED]!r} is not one of {', '.join(choices)}")
    return tuple(given.get(name, ()))


def _moment(name: str, written: str | None) -> int | None:
    """A moment: `24h` means that long ago, else a date or time as RFC 3339 writes it, or Unix seconds."""
    if not written:
        return None
    try:
        return now_ms() - round(parse_duration(written) * 1000)
    except ValueError:
        pass
    try:
        moment = parse_time(written) if UNIX.fullmatch(written) or not _is_number(written) else _NEVER
    except (ValueError, OverflowError):
        moment = _NEVER
    if abs(moment) >= _NEVER:
        raise FilterError(f'{name} {written[:_QUOTED]!r} is neither a duration ("24h", "7d") nor a time ("2026-11-22T12:00:00Z")')
    return moment


def _is_number(written: str) -> bool:
    try:
        float(written)
    except ValueError:
        return False
    return True


def _limit(written: str | None) -> int:
    if written is None:
        return DEFAULT_LIMIT
    if not written.isascii() or not written.isdigit() or not 1 <= int(written[:6]) <= MAX_LIMIT:
        raise FilterError(f"limit {written[:_QUOTED]!r} is not a number from 1 to {MAX_LIMIT}")
    return int(written)


def make_cursor(*key: int | str) -> str:
    """The opaque text for "after this item": its numbers and names, or JSON in base 64 where a name holds other signs."""
    if all(part >= 0 if isinstance(part, int) else _SIMPLE.fullmatch(part) for part in key):
        return "~".join(f"n{part}" if isinstance(part, int) else f"s{part}" for part in key)
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def parse_cursor(text: str | None) -> tuple[Any, ...] | None:
    """The key that `make_cursor` was given. Raises FilterError for a text it never made."""
    if not text:
        return None
    if simple := _CURSOR.fullmatch(text):
        return _checked(tuple(int(part[1:]) if part[0] == "n" else part[1:] for part in simple[0].split("~")))
    try:
        key = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=tuple[int | str, ...])
    except (ValueError, binascii.Error):
        raise FilterError("the cursor is not one that exowatch gave; start again without it") from None
    return _checked(key)


def _checked(key: tuple[int | str, ...]) -> tuple[Any, ...]:
    if not key or any(abs(part) >= 2**63 if isinstance(part, int) else UNPRINTABLE.search(part) for part in key):
        raise FilterError("the cursor is not one that exowatch gave; start again without it")
    return key


def number_range(filters: Filters) -> tuple[int, int]:
    """The ids, from inclusive to exclusive, that `since`, `until` and the cursor leave: ids grow with the time of arrival."""
    low = max(0, min(filters.since or 0, 2**42 - 1)) << 21
    high = 2**63 - 1 if filters.until is None else max(0, min(filters.until, 2**42 - 1)) << 21
    if filters.cursor is not None:
        if len(filters.cursor) != 1 or not isinstance(filters.cursor[0], int):
            raise FilterError("the cursor belongs to another list; start again without it")
        high = min(high, filters.cursor[0])
    return low, high


def position(filters: Filters) -> int:
    """How many items a list in an order of its own has given already. Raises FilterError for a cursor of another list."""
    if filters.cursor is None:
        return 0
    if len(filters.cursor) != 1 or not isinstance(filters.cursor[0], int) or filters.cursor[0] < 0:
        raise FilterError("the cursor belongs to another list; start again without it")
    return filters.cursor[0]


def mention_key(text: str) -> int | tuple[str, str] | None:
    """How a mention is named where an id is wanted: exowatch's own, or `platform:id`. None where it is neither."""
    number = stored_id("m", text)
    if number is not None:
        return number
    platform, colon, platform_id = text.partition(":")
    return (platform, platform_id) if colon and platform and platform_id else None
