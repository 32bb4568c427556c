"""What each source last said of each post, so that a text that comes back after an edit is told from one that merely comes again.

A key that was seen within two days is not published again. So an edit that is taken back would never be heard: its text has been
seen. Kept like what was seen: by day, and as long as the post is heard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

import msgspec

from monitor.stream.connection import Link
from monitor.stream.keys import SEEN_KEPT_S, said_keys

MOST_CHANGES = 20  # of one post by one source: one that says now this, now that of it is not followed for ever


class Saying(msgspec.Struct, frozen=True):
    """The version of a post's text that a source said last, and how often it had changed until then."""

    version: str
    changes: int = 0


def after(before: Saying | None, version: str) -> Saying:
    """What a source has said once it says this version."""
    if before is None or before.version == version:
        return before or Saying(version)
    return once_more(Saying(version, before.changes))


def once_more(one: Saying) -> Saying:
    """What a source has said after one change more."""
    return Saying(one.version, min(one.changes + 1, MOST_CHANGES))


def is_change(before: Saying | None, version: str) -> bool:
    """Whether a source says something else than it did, and has not done so too often."""
    return before is not None and before.version != version and before.changes < MOST_CHANGES


def said_name(source: str, platform: str, post: str) -> str:
    """What a source's word on a post is kept under; it names neither."""
    return hashlib.blake2b(f"{source}\0{platform}\0{post}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


async def last_said(link: Link, names: Collection[str], now_ms: int) -> dict[str, Saying]:
    """What was said last under these names; those that nothing is known of are left out."""
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    found: dict[str, Saying] = {}
    for answer in await link.together(*(("HMGET", key, *wanted) for key in reversed(said_keys(now_ms)))):
        for name, value in zip(wanted, answer, strict=True):
            if value is not None:  # today's word counts, and comes last
                changes, _, version = value.decode().partition(":")
                found[name] = Saying(version, int(changes))
    return found


async def note(link: Link, said: Mapping[str, Saying], now_ms: int) -> None:
    """Keeps what was said under these names. Safe to repeat."""
    if not said:
        return
    key = said_keys(now_ms)[0]
    fields = [part for name, one in said.items() for part in (name, f"{one.changes}:{one.version}")]
    await link.together(("HSET", key, *fields), ("EXPIRE", key, SEEN_KEPT_S))
