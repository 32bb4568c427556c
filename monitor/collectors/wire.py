"""Reading JSON that others wrote: every value may be of another type than the documentation says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from monitor.times import parse_time
from monitor.words import Post


def text(value: Any) -> str:
    """`value` where it is text, else ''."""
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> dict[str, Any]:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; what is none of them is left out, and anything but a list holds none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def seconds(value: Any) -> int | None:
    """Milliseconds of a number of Unix seconds; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 2**40:  # and so not nan
        return None
    return round(value * 1000)


def moment(value: Any) -> int | None:
    """Milliseconds of an RFC 3339 time; None for anything else."""
    if not isinstance(value, str) or len(value) > 64 or "-" not in value:
        return None
    try:
        return parse_time(value)
    except (ValueError, OverflowError):
        return None


def is_web_address(address: str) -> bool:
    """Whether this is an http or https address with a host, without blanks and control characters."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and address.isprintable() and " " not in address


# What was sent is remembered by id, newest first, each with a short hash of its text: an edit is sent again.


def unseen(posts: Iterable[Post], seen: dict[str, str]) -> list[Post]:
    """Those of the posts that were not sent, or not with this text; of several with one id the last."""
    return [post for post in {post.id: post for post in posts}.values() if seen.get(post.id) != post.version[:8]]


def remember(posts: Iterable[Post], seen: dict[str, str], most: int) -> dict[str, str]:
    """`seen` with these posts in front, and at most `most` in all."""
    fresh = {post.id: post.version[:8] for post in posts}
    older = ((key, value) for key, value in seen.items() if key not in fresh)
    return dict(islice((fresh | dict(older)).items(), most))


def in_parts(posts: list[Post], size: int = 500) -> Iterator[list[Post]]:
    """The posts in lists of at most `size`; at least one list."""
    for at in range(0, max(len(posts), 1), size):
        yield posts[at : at + size]
