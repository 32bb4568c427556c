"""What Jetstream sends, frame by frame: the second protocol's messages and the first one's bare events, told apart by shape.

Thousands of them come a second, so a frame is decoded once, into what is needed of it.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec

from monitor.words import MAX_ID, Post, compose_text

POSTS = "app.bsky.feed.post"
PLATFORM = "bluesky"
# What an account can be that its posts are no longer public by. A desynchronized or throttled one is still there.
_GONE = frozenset(("deleted", "takendown", "suspended", "deactivated", None))
_KEY = re.compile(r"[A-Za-z0-9._:~-]{1,256}")
_DID = re.compile(r"did:[a-z]{1,20}:[A-Za-z0-9._:%-]{1,220}")
_DAY_MS = 86_400_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


class Event(msgspec.Struct, frozen=True):
    """One event of the network. `us`: microseconds since 1970, when Jetstream saw it; `seq` is its number at this one Jetstream.

    At most one of `post` (made or edited), `gone` (the post `uri` is deleted) and `closed` (the account `did` is) is set. `rev`
    orders what happens to one account's posts; `edited` tells an edit from a new post.
    """

    us: int
    seq: int | None
    did: str
    rev: str = ""
    uri: str = ""
    post: Post | None = None
    edited: bool = False
    gone: bool = False
    closed: bool = False


class Notice(msgspec.Struct, frozen=True):
    """What Jetstream says about the stream itself. After a `fatal` one it ends the connection."""

    name: str
    fatal: bool


class _Record(msgspec.Struct):
    text: Any = None
    created: Any = msgspec.field(default=None, name="createdAt")
    langs: Any = None


class _Commit(msgspec.Struct):
    rev: str = ""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: _Record | None = None


class _Account(msgspec.Struct):
    active: bool = True
    status: str | None = None


class _Message(_Commit):
    kind: str = msgspec.field(default="", name="$type")
    seq: int | None = None
    did: str = ""
    time: str = ""
    witnessed: str = msgspec.field(default="", name="witnessedAt")
    account: _Account | None = None
    name: str = ""


class _Frame(msgspec.Struct):
    kind: str = msgspec.field(default="", name="$type")
    payload: _Message | None = None
    error: str = ""
    did: str = ""
    time_us: int = 0
    cursor: int | None = None
    kind_v1: str = msgspec.field(default="", name="kind")
    commit: _Commit | None = None
    account: _Account | None = None


_decoder = msgspec.json.Decoder(_Frame)


def read(data: bytes | str, source: str) -> Event | Notice | None:
    """What a frame holds; None for one that nothing can be made of."""
    try:
        frame = _decoder.decode(data)
    except (ValueError, RecursionError):
        return None
    if frame.kind == "error":
        return Notice(_word(frame.error), fatal=True)
    message = frame.payload
    if message is not None:
        kind = message.kind.rpartition("#")[2]
        if kind == "info":
            return Notice(_word(message.name), fatal=False)
        us = _microseconds(message.witnessed) or _microseconds(message.time)
        commit = message if kind == "commit" else None
        account = message.account if kind == "account" else None
        return _event(us, message.seq, message.did, commit, account, source)
    if not frame.kind_v1:
        return None
    commit_v1 = frame.commit if frame.kind_v1 == "commit" else None
    account = frame.account if frame.kind_v1 == "account" else None
    return _event(frame.time_us, frame.cursor, frame.did, commit_v1, account, source)


def _event(
    us: int | None, seq: int | None, did: str, commit: _Commit | None, account: _Account | None, source: str
) -> Event | None:
    if not us or not 0 < us < 2**62 or (seq is not None and not 0 <= seq < 10**15) or not _DID.fullmatch(did):
        return None
    if account is not None:
        return Event(us, seq, did, closed=not account.active and account.status in _GONE)
    uri = f"at://{did}/{POSTS}/{commit.rkey}" if commit is not None else ""
    if commit is None or commit.collection != POSTS or not _KEY.fullmatch(commit.rkey) or len(uri) > MAX_ID:
        return Event(us, seq, did)
    if commit.operation == "delete":
        return Event(us, seq, did, commit.rev, uri, gone=True)
    edited = commit.operation == "update"
    post = None if commit.record is None else _post(uri, did, commit.rkey, commit.record, us // 1000, source, edited)
    # A picture alone is no post here; and where an edit took the words away, they are to go here too.
    return Event(us, seq, did, commit.rev, uri, post, edited, gone=edited and post is None)


def _post(uri: str, did: str, key: str, record: _Record, heard: int, source: str, edited: bool) -> Post | None:
    text = compose_text(None, record.text) if isinstance(record.text, str) else ""
    if not text:
        return None
    langs = record.langs
    return Post(
        platform=PLATFORM,
        id=uri,
        text=text,
        url=f"https://bsky.app/profile/{did}/post/{key}",
        author=did,
        created_at=_made(record.created, heard),
        lang=langs[0] if isinstance(langs, list) and langs and isinstance(langs[0], str) else None,
        source=source,
        edited=edited,
    )


def _made(claimed: Any, heard: int) -> int:
    """When a post was made (ms). Its own word for it is anybody's choice: it counts up to a day before the post was heard.

    Otherwise a post that claims to be old would pass unnoticed, as what a catch-up finds.
    """
    us = _microseconds(claimed) if isinstance(claimed, str) else None
    made = heard if us is None else us // 1000
    return made if heard - _DAY_MS <= made <= heard else heard


def _microseconds(time: str) -> int | None:
    if not time or len(time) > 64:
        return None
    try:
        moment = dt.datetime.fromisoformat(time)
        return ((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None


def _word(name: str) -> str:
    """A name out of a message, as a sentence to the operator may hold it."""
    return name[:40] if name.isascii() and name[:40].isalnum() else "an error"
