"""What collectors hear beside posts: that something is gone, and what is new on record about the topic."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform, or a person, says is deleted: one post, or all posts of an author (as in `Post`, not as it is stored).

    `prefix`: how the ids of all of the author's posts begin, where they do; so they are found also where authors are not kept.
    """

    platform: str
    post: str | None = None
    author: str | None = None
    prefix: str | None = None


NewsKind = Literal["trial", "paper", "retraction", "warning_letter", "recall"]


class News(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something new on record about the topic, for the editor of the register: never judged, and no person's words.

    `register` and `id` (its own there) identify it with `state`: a trial whose state changes is told again. `entries` are
    those of the topic's register that cite it; it is told then whatever its words are.
    """

    register: str  # who keeps it: pubmed, clinicaltrials, openfda
    id: str
    kind: NewsKind
    title: str
    url: str | None = None
    published_at: int | None = None  # ms
    state: str = ""  # such as a trial's "completed"
    summary: str = ""
    entries: tuple[str, ...] = ()


def post_name(platform: str, post_id: str) -> str:
    """A short name for a post, which tells nothing to who does not know the post."""
    return _name("post", platform, post_id)


def author_name(platform: str, author: str) -> str:
    """A short name for an author as stored."""
    return _name("author", platform, author)


def _name(kind: str, platform: str, what: str) -> str:
    text = f"{kind}\0{platform}\0{what}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()
