"""Mastodon's words: statuses as posts, and the events of its streams, whether they come as server-sent events or by websocket."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from monitor.collectors.html import html_to_text, tidy
from monitor.times import now_ms, parse_time
from monitor.words import MAX_ID, Post, compose_text

PLATFORM = "mastodon"
MOST_EVENT = 1024 * 1024  # bytes of one event
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PUBLIC = frozenset(("public", "unlisted"))
_LINK = re.compile(r"<([^<>]{1,2000})>; ?rel=\"?prev\"?")


class Status(msgspec.Struct, frozen=True):
    """A status as one server shows it. `id` is that server's own; the post's id is the status's address, alike everywhere.

    `edited` is when it was edited, as the server writes it; empty where it never was.
    """

    id: str
    post: Post
    edited: str


class StreamEvent(msgspec.Struct, frozen=True):
    """One event of a stream; `data` is JSON text, or for a deletion the bare id of a status."""

    name: str
    data: str


class BrokenError(Exception):
    """A stream sends what is no event, without end."""


def status_of(raw: Any, server: str, source: str) -> Status | None:
    """A status as a post; None for one that is not public, has no words, repeats another, or is of another shape."""
    if not isinstance(raw, dict) or raw.get("reblog") is not None or _text(raw.get("visibility", "public")) not in _PUBLIC:
        return None
    id_, uri = raw.get("id"), _text(raw.get("uri")) or _text(raw.get("url"))
    if not isinstance(id_, str) or not is_id(id_) or not uri or len(uri) > MAX_ID:
        return None
    body = html_to_text(_text(raw.get("content")))
    text = compose_text(tidy(_text(raw.get("spoiler_text"))), body)
    if not text:
        return None
    account = raw.get("account")
    return Status(
        id_,
        Post(
            platform=PLATFORM,
            id=uri,
            text=text,
            url=_text(raw.get("url")) or uri,
            author=_author(account, server) if isinstance(account, dict) else None,
            created_at=_moment(_text(raw.get("created_at"))),
            lang=_text(raw.get("language")) or None,
            source=source,
            edited=bool(_text(raw.get("edited_at"))),
        ),
        _text(raw.get("edited_at"))[:40],
    )


def is_id(value: Any) -> bool:
    """Whether it may be a status's id on a server."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def following(headers: Mapping[str, str]) -> str | None:
    """The `min_id` after which the next newer page begins, by the Link header; its address itself is not followed."""
    found = _LINK.search(headers.get("Link", "")[:8_000])
    if found is None:
        return None
    try:
        ids = parse_qs(urlsplit(found[1]).query).get("min_id", [])
    except ValueError:
        return None
    return ids[0] if ids and is_id(ids[0]) else None


class EventReader:
    """Server-sent events out of the pieces that arrive."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[StreamEvent]:
        """The events that end in this piece. Raises BrokenError where one grows too long."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) + self._size > MOST_EVENT:
            raise BrokenError
        for line in lines:
            yield from self._line(line.removesuffix(b"\r").decode("utf-8", "replace"))

    def _line(self, line: str) -> Iterator[StreamEvent]:
        if not line:
            if self._name and self._data:
                yield StreamEvent(self._name, "\n".join(self._data))
            self._name, self._data, self._size = "", [], 0
            return
        field, _, value = line.partition(":")  # a comment's field is empty
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
            self._size += len(value) + 1  # an empty line takes room too
            if self._size > MOST_EVENT:
                raise BrokenError


def message_of(text: str) -> StreamEvent | None:
    """The event in a websocket's message; None for a heartbeat."""
    raw = json_of(text)
    if not isinstance(raw, dict):
        return None
    name, payload = raw.get("event"), raw.get("payload")
    if isinstance(payload, int) and not isinstance(payload, bool):
        payload = str(payload)
    return StreamEvent(name, payload) if isinstance(name, str) and isinstance(payload, str) else None


def json_of(text: str | bytes) -> Any:
    """What the JSON holds; None where it is none."""
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None


def _author(account: Mapping[str, Any], server: str) -> str | None:
    """The account's address in full: a server leaves out its own name."""
    name = _text(account.get("acct"))
    if not name or "@" in name:
        return name or None
    try:
        host = urlsplit(_text(account.get("url"))).netloc
    except ValueError:
        host = ""
    return f"{name}@{host or urlsplit(server).netloc}"


def _moment(text: str) -> int | None:
    try:
        return min(parse_time(text), now_ms()) if text else None
    except (ValueError, OverflowError):
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
