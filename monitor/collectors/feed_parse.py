"""Turns the bytes of a feed into plain entries: RSS, Atom and RDF by feedparser, JSON Feed here.

Feeds are hostile and XML parsers have been talked into anything, so this runs as a process of its own
(`python -m monitor.collectors.feed_parse`): a request line of JSON and the body on stdin, one JSON document on stdout. It sets
itself limits on memory and processor time before it looks at the body. `parse` is pure; `feed_process` is the caller's side.
"""

from __future__ import annotations

import calendar
import codecs
import contextlib
import hashlib
import io
import json
import math
import re
import resource
import sys
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import msgspec

from monitor import words
from monitor.collectors import reddit_text
from monitor.collectors.html import clean, html_to_text, one_line, tidy, unescape
from monitor.times import parse_time

MAX_ENTRIES = 5_000
MEMORY = 512 * 1024 * 1024  # bytes of address space; a 5 MB feed needs about a fifth of it
CPU_SECONDS = 15  # a 5 MB feed needs one
_DECLARED = re.compile(rb"""^[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the parser must know beside the bytes. `url`: where they came from. `reddit`: one of Reddit's own feeds."""

    url: str
    content_type: str = ""
    reddit: bool = False


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry in plain text, every field within the bounds of `words`."""

    id: str
    text: str
    url: str | None = None
    author: str | None = None
    created_at: int | None = None  # ms
    lang: str | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`error` says in a few words why there is nothing; `left_out` counts entries beyond MAX_ENTRIES.
    `hub` and `topic`: where the feed is pushed from (WebSub), and as what."""

    entries: list[Entry] = []
    error: str | None = None
    left_out: int = 0
    hub: str | None = None
    topic: str | None = None


def parse(body: bytes, request: Request) -> Result:
    """The entries of `body`, in its own order, each id once (the first wins), those without any text left out."""
    if not body.strip(b"\0\t\r\n \xef\xbb\xbf"):
        return Result(error="an empty answer, not a feed")
    found = (_json_feed if _looks_like_json(body, request.content_type) else _xml_feed)(body, request)
    if found.error:
        return Result(error=found.error)
    entries: dict[str, Entry] = {}
    for entry in found.entries:
        if entry is not None:
            entries.setdefault(entry.id, entry)
    kept = list(entries.values())
    left_out = max(0, len(kept) - MAX_ENTRIES)
    return Result(entries=kept[:MAX_ENTRIES], left_out=left_out, hub=found.hub, topic=found.topic)


class _Found(NamedTuple):
    """What a body holds, or why it is no feed."""

    entries: list[Entry | None]
    error: str | None = None
    hub: str | None = None
    topic: str | None = None


# XML


def _xml_feed(body: bytes, request: Request) -> _Found:
    problem = _prolog_problem(body, request.content_type)
    if problem:
        return _Found([], problem)
    import feedparser  # noqa: PLC0415 - a tenth of a second that JSON Feeds and the daemon itself do not need

    headers = {"content-type": request.content_type} if request.content_type else {}
    # Bytes in a stream: a `str` would be taken for an address, or for the name of a local file.
    try:
        parsed = feedparser.parse(io.BytesIO(body), response_headers=headers)
    except Exception as error:  # it takes almost anything; what it trips over (a character beyond Unicode, say) is no feed
        return _Found([], f"broken in a way that cannot be read past ({type(error).__name__})")
    if not parsed.get("version"):
        return _Found([], "not a feed but an HTML page" if b"<html" in body[:4096].lower() else "not a feed")
    language = _text(parsed.feed.get("language"))
    convert = _reddit_entry if request.reddit else _xml_entry
    entries = [convert(entry, request.url, language) for entry in parsed.entries[: MAX_ENTRIES * 2]]
    links = {link.get("rel"): _text(link.get("href")) for link in reversed(parsed.feed.get("links", [])[:100])}
    return _Found(entries, hub=_web_address(links.get("hub"), request.url), topic=_web_address(links.get("self"), request.url))


def _prolog_problem(body: bytes, content_type: str) -> str | None:
    """Whether a document type is declared before the first element, in any encoding that the parser might believe.

    Entities can be declared nowhere else in XML, and articles about HTML may well hold the word further down.
    """
    for text in _readings(body, content_type):
        declaration = _first_declaration(text)
        if declaration.startswith("<!doctype html"):
            return "not a feed but an HTML page"
        if declaration:
            return "a feed that declares its own document type or entities, which is refused"
    return None


def _readings(body: bytes, content_type: str) -> list[str]:
    head = body.replace(b"\0", b"")  # UTF-16 and UTF-32, in either order, as far as ASCII goes
    names = ["latin-1"]
    _, _, charset = content_type.lower().partition("charset=")
    names.append(charset.split(";")[0].strip(" '\""))
    if body.startswith(b"\x4c\x6f\xa7\x94"):
        names.append("cp037")
        head = body.decode("cp037").encode("latin-1", "replace")
    declared = _DECLARED.match(head.lstrip())
    names.append(declared[1].decode() if declared else "")
    readings = [head.decode("latin-1")]
    for name in dict.fromkeys(filter(None, names)):
        with contextlib.suppress(LookupError, ValueError):
            readings.append(body.decode(codecs.lookup(name).name, "ignore"))
    return readings


def _first_declaration(text: str) -> str:
    """The first declaration (lower case, its beginning) before the first element, skipping comments and instructions, or ''."""
    position = text.find("<")
    while position >= 0:
        if text.startswith("<!--", position):
            end = text.find("-->", position + 4)
        elif text.startswith("<?", position):
            end = text.find("?>", position + 2)
        else:
            start = text[position : position + 20].lower()
            return start if start.startswith(("<!doctype", "<!entity")) else ""
        position = text.find("<", end) if end >= 0 else -1
    return ""


def _xml_entry(entry: Any, base: str, language: str | None) -> Entry | None:
    content = _content(entry)
    title = _detail_text(entry.get("title_detail"), words.MAX_TEXT)
    guid, link = _text(entry.get("id")), _text(entry.get("link"))
    if link == guid and "://" not in (link or ""):
        link = None  # feedparser takes every guid for a link, also "item-1"
    return _entry(
        guid=guid,
        link=link,
        base=base,
        title=title,
        body=_detail_text(content, words.MAX_TEXT, blocks=True),
        author=_author(entry),
        created_at=_moment(entry),
        lang=_text((content or {}).get("language")) or language,
    )


def _reddit_entry(entry: Any, base: str, _language: str | None) -> Entry | None:
    """A post or comment of Reddit's Atom feeds, word for word as the API gives it."""
    guid = _text(entry.get("id")) or ""
    title = (_text((entry.get("title_detail") or {}).get("value")) or "") if guid.startswith("t3_") else ""
    text = reddit_text.text_of(title, reddit_text.written(_text((_content(entry) or {}).get("value")) or ""))
    if text is None:
        return None
    return _entry(
        guid=guid,
        link=_text(entry.get("link")),
        base=base,
        title="",
        body=text,
        author=reddit_text.author_of(_author(entry)),
        created_at=_moment(entry),
        lang=None,  # Reddit's feeds say "en" for everything
    )


def _content(entry: Any) -> Any:
    """The fullest text that is text: content, else summary."""
    for content in entry.get("content") or []:
        kind = content.get("type") or "text/html"
        if kind.startswith("text/") or "html" in kind:
            value = content.get("value")
            if isinstance(value, str) and value.strip():
                return content
    return entry.get("summary_detail")


def _detail_text(detail: Any, limit: int, *, blocks: bool = False) -> str:
    value = _text((detail or {}).get("value"))
    if value is None:
        return ""
    is_html = "html" in (detail.get("type") or "")
    text = html_to_text(value, limit) if is_html else tidy(unescape(value[: limit * 4]), limit)
    return text if blocks else one_line(text, limit)


def _author(entry: Any) -> str | None:
    detail = entry.get("author_detail") or {}
    return _text(detail.get("name")) or _text(entry.get("author")) or _text(detail.get("email"))


def _moment(entry: Any) -> int | None:
    for key in ("published_parsed", "updated_parsed"):
        moment = entry.get(key) if key in entry else None
        if moment:
            try:
                return calendar.timegm(moment) * 1000
            except (ValueError, OverflowError, TypeError):
                continue
    return None


# JSON Feed


def _looks_like_json(body: bytes, content_type: str) -> bool:
    start = body[:64].lstrip(b"\xef\xbb\xbf\t\r\n ")
    return start.startswith((b"{", b"[")) or ("json" in content_type.lower() and not start.startswith(b"<"))


def _json_feed(body: bytes, request: Request) -> _Found:
    try:
        feed = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return _Found([], "not a feed: JSON that cannot be read")
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list) or "jsonfeed.org" not in str(feed.get("version"))[:100]:
        return _Found([], "not a feed but other JSON")
    entries = [_json_entry(item, feed, request.url) for item in items[: MAX_ENTRIES * 2] if isinstance(item, dict)]
    topic = _web_address(_text(feed.get("feed_url")), request.url)
    return _Found(entries, hub=_web_address(_json_hub(feed.get("hubs")), request.url), topic=topic)


def _json_hub(hubs: Any) -> str | None:
    for hub in hubs[:20] if isinstance(hubs, list) else ():
        if isinstance(hub, dict) and str(hub.get("type")).lower() == "websub" and _text(hub.get("url")):
            return _text(hub.get("url"))
    return None


def _json_entry(item: dict[str, Any], feed: dict[str, Any], base: str) -> Entry | None:
    guid, text, html = item.get("id"), _text(item.get("content_text")), _text(item.get("content_html"))
    if isinstance(guid, int | float) and not isinstance(guid, bool):
        guid = json.dumps(guid)  # an early version of the format allowed numbers
    return _entry(
        guid=_text(guid),
        link=_text(item.get("url")) or _text(item.get("external_url")),
        base=base,
        title=one_line(_text(item.get("title")) or "", words.MAX_TEXT),
        body=tidy(text) if text else html_to_text(html) if html else tidy(_text(item.get("summary")) or ""),
        author=_json_author(item) or _json_author(feed),
        created_at=_json_moment(item.get("date_published")) or _json_moment(item.get("date_modified")),
        lang=_text(item.get("language")) or _text(feed.get("language")),
    )


def _json_author(item: dict[str, Any]) -> str | None:
    authors = item.get("authors")
    first = authors[0] if isinstance(authors, list) and authors else item.get("author")
    return _text(first.get("name")) if isinstance(first, dict) else None


def _json_moment(value: Any) -> int | None:
    text = _text(value)
    if text is None:
        return None
    try:
        moment = parse_time(text[:64])
    except (ValueError, OverflowError):
        return None
    return moment if math.isfinite(moment) and abs(moment) < 2**53 else None


# Both


def _entry(
    *,
    guid: str | None,
    link: str | None,
    base: str,
    title: str,
    body: str,
    author: str | None,
    created_at: int | None,
    lang: str | None,
) -> Entry | None:
    text = words.compose_text(title, body)[: words.MAX_TEXT]
    if not text:
        return None
    return Entry(
        id=_identity(guid, link, f"{title or body}\0{created_at or ''}"),
        text=text,
        url=_web_address(link, base),
        author=one_line(author or "", words.MAX_NAME) or None,
        created_at=created_at,
        lang=_language(lang),
    )


def _identity(guid: str | None, link: str | None, otherwise: str) -> str:
    """The entry's own id, else its link, else a hash that stays the same while title and date do."""
    name = clean(guid or link or "").strip()
    if 0 < len(name) <= words.MAX_ID:
        return name
    digest = hashlib.blake2b((name or otherwise).encode("utf-8", "replace"), digest_size=16)
    return f"hash:{digest.hexdigest()}"


def _web_address(link: str | None, base: str) -> str | None:
    try:
        url = urljoin(base, clean(link or "").strip()) if link else ""
        parts = urlsplit(url)
    except ValueError:
        return None
    good = parts.scheme in ("http", "https") and parts.netloc and len(url) <= words.MAX_URL
    return url if good and not any(char.isspace() for char in url) else None


def _language(lang: str | None) -> str | None:
    lang = (lang or "").strip().replace("_", "-")
    return lang if re.fullmatch(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3}", lang) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


# The process


def main() -> None:
    """Reads one request and one body, writes one result. Exits with a failure only where the limits end it."""
    for limit, value in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # a lower limit of the surroundings stands
            resource.setrlimit(limit, (value, value))
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    try:
        result = parse(sys.stdin.buffer.read(), request)
    except MemoryError:
        result = Result(error="a feed that needs too much memory to read")
    except RecursionError:
        result = Result(error="a feed that is nested too deeply to read")
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
