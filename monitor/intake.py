"""The one door into the stream: posts are bounded, matched against the topic, their authors hidden, and published.

Collectors, `exowatch replay`, the demo and `POST /api/v1/mentions` all come through here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from monitor import tracing, words
from monitor.notices import author_name, post_name
from monitor.pseudonyms import Pseudonyms
from monitor.stream import Item, Stream
from monitor.stream.sayings import after, is_change, once_more, said_name
from monitor.times import parse_time
from monitor.words import MAX_ID, MAX_NAME, MAX_TEXT, MAX_URL, Post, compose_text

_PLATFORM = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CONTROL_OR_BREAK = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")
_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\x7f\ud800-\udfff]+")


class PostError(ValueError):
    """A post that cannot be taken in; the message names the key and what is wanted."""


class Keywords(Protocol):
    """What decides whether a text is on topic (`monitor.topic`)."""

    def find(self, text: str) -> tuple[str, ...]:
        """The topic's words in it; none means that it is about something else."""
        ...

    def where(self, text: str) -> list[tuple[str, int, int]]:
        """As `find`, each with the half-open span of the text where it stands, in order."""
        ...


class Unwanted(Protocol):
    """What may not be taken in, whatever it says (`monitor.forgotten`)."""

    async def refresh(self) -> None:
        """Looks at what was added lately."""
        ...

    def holds(self, post: Post) -> bool:
        """Whether the post is to be left out."""
        ...


class Known(Protocol):
    """What was taken in before (`monitor.edits`)."""

    async def known(self, posts: Sequence[Post]) -> set[tuple[str, str]]:
        """Those of the posts (platform, id) that were."""
        ...


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of posts: new in the stream, heard before, or left out: not on topic, or to be forgotten."""

    accepted: int = 0
    duplicates: int = 0
    unmatched: int = 0

    def __add__(self, other: Offered) -> Offered:
        return Offered(
            accepted=self.accepted + other.accepted,
            duplicates=self.duplicates + other.duplicates,
            unmatched=self.unmatched + other.unmatched,
        )


class Intake:
    """Publishes posts that are on topic."""

    def __init__(
        self,
        stream: Stream,
        keywords: Keywords,
        pseudonyms: Pseudonyms,
        forgotten: Unwanted | None = None,
        record: Known | None = None,
    ) -> None:
        self._stream = stream
        self._forgotten = forgotten
        self._record = record
        self.keywords = keywords  # another set may take its place at any time
        self.pseudonyms = pseudonyms

    async def offer(self, posts: Sequence[Post], *, source: str, cursor: str | None = None) -> Offered:
        """Puts the posts that are on topic into the stream, and with them, in the same step, the source's cursor.

        So are edits of posts that were, whatever they say now: else the words that somebody took back would stay on record.
        Raises StreamUnavailable, StoreUnavailable; to offer the same posts again is then safe.
        """
        on_topic = [bool(self.keywords.find(post.text)) for post in posts]
        edits = [post for post, is_ours in zip(posts, on_topic, strict=True) if post.edited and not is_ours]
        known = await self._record.known(edits) if edits and self._record is not None else set()
        ours = [post for post, is_ours in zip(posts, on_topic, strict=True) if is_ours or (post.platform, post.id) in known]
        if self._forgotten is not None and ours:
            await self._forgotten.refresh()
            ours = [post for post in ours if not self._forgotten.holds(post)]
        accepted = await self._publish(ours, source, cursor)
        return Offered(accepted=accepted, duplicates=len(ours) - accepted, unmatched=len(posts) - len(ours))

    async def _publish(self, ours: Sequence[Post], source: str, cursor: str | None) -> int:
        """Publishes the posts, and says how many were new. A text that was heard before is new again where the source has said
        another one since: then an edit was taken back."""
        began_ns = tracing.now_ns()
        items = [_item(post.version, self._ready(post, source)) for post in ours]
        places = [said_name(source, post.platform, post.id) for post in ours]
        last = {place: n for n, place in enumerate(places)}  # of several texts of one post the last one counts
        before = await self._stream.last_said(list(last))
        said = {place: after(before.get(place), items[n].key) for place, n in last.items()}
        changed = {place for place, n in last.items() if is_change(before.get(place), items[n].key)}
        if not changed and len(last) == len(items):
            new = await self._stream.publish(items, source=source, cursor=cursor)
        else:
            new = await self._stream.publish(items, source=source)
            # An edit and its end that were heard together.
            there_and_back = {place for n, place in enumerate(places) if new[n] and items[n].key != items[last[place]].key}
            said |= {place: once_more(said[place]) for place in there_and_back - changed}
            back = [
                msgspec.structs.replace(items[n], key=f"{items[n].key}:{said[place].changes}")
                for place, n in last.items()
                if place in changed | there_and_back and not new[n]
            ]
            new += await self._stream.publish(back, source=source, cursor=cursor)
        await self._stream.note_said(said)
        if tracing.on():
            marks = [tracing.mark(post) for post, is_new in zip(ours, new, strict=False) if is_new]
            tracing.steps("publish", marks, began_ns, first=True, source=source)
        return sum(new)

    def _ready(self, post: Post, source: str) -> Post:
        author = self.pseudonyms.of(post.platform, post.author)
        return msgspec.structs.replace(post, source=source, author=author, edited=False)


def _item(key: str, post: Post) -> Item:
    names = (post_name(post.platform, post.id), *([author_name(post.platform, post.author)] if post.author else ()))
    return Item(key=key, data=words.encode(post), names=names)


def post_from(raw: Any) -> Post:
    """A post as users hand it in (`replay`, `import`, HTTP). Raises PostError.

    It is `{"platform", "id", "text", "title"?, "url"?, "author"?, "created_at"?, "lang"?}`; other keys are ignored.
    """
    if not isinstance(raw, dict):
        raise PostError('a post is an object with "platform", "id" and "text"')
    texts = {name: _text(raw, name) for name in ("platform", "id", "text", "title", "url", "author", "lang")}
    for name in ("platform", "id", "text"):
        if not (texts[name] or "").strip():
            raise PostError(f'"{name}" is missing or empty')
    platform = str(texts["platform"]).strip().lower()
    if not _PLATFORM.fullmatch(platform):
        raise PostError('"platform" is a short name of small letters, digits, - and _, such as reddit')
    return bounded(
        Post(
            platform=platform,
            id=str(texts["id"]).strip(),
            text=compose_text(texts["title"], texts["text"]),
            url=texts["url"],
            author=texts["author"],
            created_at=_created(raw.get("created_at")),
            lang=texts["lang"],
            edited=True,  # nobody says whether it is; these are few enough to look
        )
    )


def bounded(post: Post) -> Post:
    """The post within the limits of `monitor.words`, without control characters, and with a web address or none.

    Raises PostError where its id is longer than any platform's.
    """
    if len(post.id) > MAX_ID:
        raise PostError(f'"id" is longer than {MAX_ID} characters')
    return msgspec.structs.replace(
        post,
        id=_one_line(post.id),
        text=_clean(post.text[:MAX_TEXT]),
        url=post.url if post.url and len(post.url) <= MAX_URL and _ADDRESS.fullmatch(post.url) else None,
        author=_one_line(post.author[:MAX_NAME]) or None if post.author else None,
        lang=_one_line(post.lang[:16]) or None if post.lang else None,
        created_at=post.created_at if post.created_at is None or abs(post.created_at) < 2**53 else None,
    )


def _clean(text: str) -> str:
    # PostgreSQL refuses NUL, UTF-8 lone surrogates; the rest is never part of what somebody wrote. One for one: offsets stay.
    return _CONTROL.sub("\ufffd", text)


def _one_line(name: str) -> str:
    return _CONTROL_OR_BREAK.sub("\ufffd", name)


def _text(raw: dict[str, Any], name: str) -> str | None:
    value = raw.get(name)
    if value is None or isinstance(value, str):
        return value
    if name == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise PostError(f'"{name}" is not text')


def _created(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise PostError('"created_at" is a time such as 2026-11-22T12:00:00Z')
    try:
        return parse_time(str(value))
    except (ValueError, OverflowError):
        raise PostError('"created_at" is a time such as 2026-11-22T12:00:00Z') from None
