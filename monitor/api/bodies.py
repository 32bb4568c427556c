"""What may be sent to the API: the schemas of the bodies, to the letter."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from monitor.api.actions import MAX_POSTS
from monitor.api.parameters import DURATION, TIME
from monitor.store.reviewing import ReviewRequest
from monitor.store.reviews import MAX_NOTE, MAX_REVIEWER, MAX_SPLIT, Action

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


_OF_ALL: dict[str, Schema] = {
    "note": {"anyOf": [{"type": "string", "maxLength": MAX_NOTE}, {"type": "null"}]},
    "reviewer": {"anyOf": [{"type": "string", "maxLength": MAX_REVIEWER}, {"type": "null"}]},
}
_ID: Schema = {"type": "string", "minLength": 1}
# What goes with an action beside those, and what of it has to be there.
_OF_ACTION: dict[str, tuple[dict[str, Schema], tuple[str, ...]]] = {
    "mute": ({"until": TIME, "for": DURATION}, ()),
    "merge": ({"into": _ID}, ("into",)),
    "split": (
        {
            "mentions": {"type": "array", "items": _ID, "minItems": 1, "maxItems": MAX_SPLIT},
            "claim": {"type": "string", "minLength": 10, "maxLength": 300},
        },
        ("mentions", "claim"),
    ),
}


def review() -> Schema:
    """A review: what each action takes, and nothing else."""
    return {
        "oneOf": [_review(action) for action in get_args(Action)],
        "description": (ReviewRequest.__doc__ or "").split("\n")[0],
    }


def _review(action: str) -> Schema:
    fields, needed = _OF_ACTION.get(action, ({}, ()))
    one: Schema = {
        "type": "object",
        "title": action,
        "properties": {"action": {"const": action}, **fields, **_OF_ALL},
        "required": ["action", *needed],
        "additionalProperties": False,
    }
    return {**one, "not": {"required": ["until", "for"]}} if action == "mute" else one
