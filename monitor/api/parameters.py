"""What the parameters of the API may be, to the letter: whatever fits its schema here is taken, and what does not is refused."""

from __future__ import annotations

from typing import Any

from monitor.api import live
from monitor.api.queries import MAX_VALUES
from monitor.export import FORMATS
from monitor.store import dry_terms
from monitor.store.filters import CHOICES, DEFAULT_LIMIT, EXPLAINED, LONGEST_NAME, MAX_LIMIT, NAMES, SINGLE, UNIX
from monitor.store.search import MAX_QUERY
from monitor.store.stats import BUCKET_SIZES
from monitor.words import DELIVERY_STATES

Schema = dict[str, Any]

# What is empty is as if it were not there. `_SIGN`: any character but those that no stored word holds; a text to be looked for
# has a letter, a digit or something beyond ASCII among them.
_SIGN = r"[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F]"
NAME: Schema = {"type": "string", "maxLength": LONGEST_NAME, "pattern": f"^{_SIGN}*$"}
TEXT: Schema = {
    "type": "string",
    "maxLength": MAX_QUERY,
    "pattern": rf"^(?:{_SIGN}*(?:[A-Za-z0-9]|[^\u0000-\u007F]){_SIGN}*)?$",
}
DURATION: Schema = {"type": "string", "pattern": r"^(?:[0-9]{1,8}(\.[0-9]{1,6})?[smhd])?$", "examples": ["24h", "7d"]}
TIME: Schema = {"type": "string", "format": "date-time", "examples": ["2026-11-22T12:00:00Z"]}
MOMENT: Schema = {
    "type": "string",  # of each below too; said here, where whoever makes requests looks
    "anyOf": [
        DURATION,
        TIME,
        {"type": "string", "format": "date"},
        {"type": "string", "pattern": f"^{UNIX.pattern}$"},  # Unix seconds
    ],
}
LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": dry_terms.MOST}
PLATFORM: Schema = {"type": "string", "pattern": f"^(?:{dry_terms.PLATFORM.pattern})$"}
# As `make_cursor` writes them, by what a list is in the order of.
_NUMBER = "n(?:[0-8][0-9]{0,18}|9[0-9]{0,17})"
_ID = "s[A-Za-z0-9._-]{1,128}"
CURSORS = {
    "number": f"^(?:{_NUMBER})?$",
    "claim": f"^(?:n[0-9]{{1,15}}~{_ID})?$",
    "name": f"^(?:{_ID})?$",
}

_SCHEMAS: dict[str, Schema] = {
    "since": MOMENT,
    "until": MOMENT,
    "text": TEXT,
    "limit": LIMIT,
    "min_confidence": SHARE,
    "endpoint_min_confidence": SHARE,
    "source": NAME,
    "platform": NAME,
    "claim": NAME,
    "watch": NAME,
    "assignee": NAME,
    "endpoint": NAME,
    "platforms": PLATFORM,
    "spreading": COUNT,
    "resurfaced_after": DURATION,
    "max_per_hour": {"anyOf": [COUNT, {"const": dry_terms.EVERY}]},
}
_CHOICES: dict[str, tuple[str, ...]] = {
    **CHOICES,
    "bucket": BUCKET_SIZES,
    "state": DELIVERY_STATES,
    "event": live.EVENTS,
    "format": FORMATS,
    "events": dry_terms.CHOICES["events"],
    "types": dry_terms.CHOICES["types"],
    "verdicts": dry_terms.CHOICES["verdicts"],
}
_OF_MANY = {*NAMES["mentions"], "kind", "assignee", "event", *dry_terms.LISTS, "spreading"} - set(SINGLE)
_DEFAULTS = {"bucket": "day", "format": "jsonl"}
_EXPLAINED = EXPLAINED | {
    "format": "The format of the file.",
    "token": "A token, for programs that cannot send headers.",
    "endpoint": "Name of a configured endpoint.",
    "min_confidence": "Another `alerts.min_confidence`.",
    "spreading": "Other numbers of authors than `alerts.spreading`.",
    "resurfaced_after": "Another `alerts.resurfaced_after`, as in `30d`.",
    "max_per_hour": "Another `max_per_hour` of the endpoint; `all`: no budget.",
    "endpoint_min_confidence": "Another `min_confidence` of the endpoint.",
}


def in_query(name: str, cursor: str = "number", repeated: tuple[str, ...] | None = None) -> Schema:
    """A parameter of the query string. `cursor` says what the list is in the order of; `repeated` is what the parameter may be,
    as often as wanted, where it means something of the route's own."""
    one = _SCHEMAS.get(name, {"type": "string"})
    if choices := repeated or _CHOICES.get(name):
        one = {"type": "string", "enum": list(choices)}
    if name == "cursor":
        one = {"type": "string", "pattern": CURSORS[cursor]}
    if name in _DEFAULTS:
        one = {**one, "default": _DEFAULTS[name]}
    schema = one if name not in _OF_MANY and not repeated else {"type": "array", "maxItems": MAX_VALUES, "items": one}
    explained = {"description": _EXPLAINED[name]} if name in _EXPLAINED else {}
    return {"name": name, "in": "query", "required": False, "schema": schema, **explained}
