"""What may be sent to the API: the schemas of the bodies, to the letter."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from monitor.api.actions import MAX_POSTS, Again
from monitor.api.parameters import DURATION, MOMENT, TIME
from monitor.store.delivery_log import Settled
from monitor.store.reviewing import ReviewRequest
from monitor.store.reviews import MAX_NOTE, MAX_REVIEWER, MAX_SPLIT, SENTENCE, Action

Schema = dict[str, Any]


class PostIn(msgspec.Struct, omit_defaults=True):
    """A post as it is handed in; text is its title and body joined where it has both."""

    platform: str
    id: str | int
    text: str
    title: str | None = None
    url: str | None = None
    author: str | None = None
    created_at: str | float | None = None
    lang: str | None = None


def posts(post: Schema) -> Schema:
    """One post or several. What is none does not make a request wrong: it is named in the answer, and the others are taken."""
    anything = {"description": "Whatever is not a post is named under `errors`, and the others are taken."}
    several = {"type": "array", "maxItems": MAX_POSTS, "items": {"anyOf": [post, anything]}}
    return {"anyOf": [post, several, {"not": {"type": "array"}, **anything}]}


def _or_none(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


# Words with single blanks between them.
_SENTENCE = r"^[^\u0000-\u0020\u007F-\u00A0\u1680\u2000-\u200F\u2028-\u202F\u205F-\u206F\u3000\uFEFF]+"
_SENTENCE += _SENTENCE.replace("^[", "(?: [", 1) + ")*$"
# Something between whatever blanks and control signs.
_SAYING = r"[^\u0000-\u0020\u007F-\u00A0\u1680\u2000-\u200A\u2028-\u202F\u205F\u2066-\u2069\u3000]"
_ID: Schema = {"type": "string", "minLength": 1}
_MENTIONS: Schema = {"type": "array", "items": _ID, "minItems": 1, "maxItems": MAX_SPLIT}
# Where a field does not belong, it may be there and say nothing.
_NOTHING: Schema = {"enum": [None, ""]}
_OF_ALL: dict[str, Schema] = {
    "note": _or_none({"type": "string", "maxLength": MAX_NOTE}),
    "reviewer": _or_none({"type": "string", "maxLength": MAX_REVIEWER, "pattern": f"^$|{_SAYING}"}),
}
_ELSEWHERE: dict[str, Schema] = {
    "until": _NOTHING,
    "for": _NOTHING,
    "into": _NOTHING,
    "claim": _NOTHING,
    "mentions": {"type": "array", "maxItems": 0},
}
# The ways to ask for an action that take more: what goes with them, and what of it has to be there.
_WAYS: dict[str, tuple[tuple[dict[str, Schema], tuple[str, ...]], ...]] = {
    "confirm": (({}, ()), ({"mentions": _MENTIONS}, ("mentions",))),
    "note": (({"note": {"type": "string", "minLength": 1, "maxLength": MAX_NOTE, "pattern": _SAYING}}, ("note",)),),
    "mute": (({"until": TIME}, ("until",)), ({"for": DURATION}, ("for",)), ({}, ())),
    "merge": (({"into": _ID}, ("into",)),),
    "split": (
        (
            {
                "mentions": _MENTIONS,
                "claim": {"type": "string", "minLength": SENTENCE[0], "maxLength": SENTENCE[1], "pattern": _SENTENCE},
            },
            ("mentions", "claim"),
        ),
    ),
}


def review() -> Schema:
    """A review: what each action takes, and nothing else."""
    ways = [_way(action, *way) for action in get_args(Action) for way in _WAYS.get(action, (({}, ()),))]
    return {"anyOf": ways, "description": (ReviewRequest.__doc__ or "").split("\n")[0]}


def again() -> Schema:
    """Which deliveries of an endpoint are to be sent again."""
    return {
        "type": "object",
        "properties": {
            "since": {**MOMENT, "type": "string", "minLength": 1},
            "until": _or_none(MOMENT),
            "state": {"type": "string", "enum": list(get_args(Settled)), "default": "dead"},
        },
        "required": ["since"],
        "additionalProperties": False,
        "description": (Again.__doc__ or "").split("\n")[0],
    }


def _way(action: str, fields: dict[str, Schema], needed: tuple[str, ...]) -> Schema:
    return {
        "type": "object",
        "title": " ".join((action, *needed)),
        "properties": {"action": {"const": action}, **_ELSEWHERE, **_OF_ALL, **fields},
        "required": ["action", *needed],
        "additionalProperties": False,
    }
