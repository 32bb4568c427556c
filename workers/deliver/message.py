"""An alert as a message for people: claim, verdict, quote, link and the source of the verdict, in plain text.

Everything that comes from posts is hostile: it mentions nobody (`@everyone`, `<!here>`, `@name`), commands nothing (`/start`) and
is no link, also where a chat makes links of bare names (`name.example/x`). The links to follow are that of the post and those of
the sources. Pure.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote as percent

import msgspec

_BREAK = "\u200b"  # a space of no width: nothing to see, and no longer a mention
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
# What platforms read as a mention, a channel, a command, a link or mark-up: the sign, where anything follows it.
_SIGNS = re.compile(r"(?<=[@＠#＃])(?=\S)|(?<=<)(?=\S)|(?<=\])(?=\()|(?<=:)(?=//)|(?<=(?<!\w)/)(?=\w)")
_DOTS = re.compile(r"(?<=[.。．｡])(?=[^\W_])")  # as in a name on the net, which many chats make a link of without any sign
_URL_SAFE = "/:?#!$&'*+,;=-._~%"
_SHORT = 60  # characters of a quote that stay, whatever else has to go


def units(text: str) -> int:
    """The length of a text as the strictest of platforms count it: an emoji is two."""
    return len(text) + sum(character > "\uffff" for character in text)


def plain_cost(title: str, body: str) -> int:
    """What a title and a text take where the one stands before the other and their signs are escaped as in HTML."""
    return units(html.escape(body)) + (units(html.escape(title)) + 4 if title else 0)


class Room(msgspec.Struct, frozen=True):
    """What a platform takes: units of the title (0: it has none and stands before the body) and of the body, and lines (0: any
    number). `cost` says what a title without a place of its own (else an empty one) and a body take of that of the body."""

    title: int = 250
    body: int = 32_768
    lines: int = 0
    cost: Callable[[str, str], int] = plain_cost


class Message(msgspec.Struct, frozen=True):
    """What is shown."""

    title: str
    body: str


def compose(event: dict[str, Any], room: Room) -> Message:
    """The message of an event (a webhook's body, read), cut to what a platform takes: the quote first, the link last."""
    title = _cut_to(_title(event), lambda text: units(html.escape(text)) <= (room.title or 120))
    return Message(title, _fitting(event, "" if room.title else title, room))


def harmless(text: object) -> str:
    """A text from outside on one line, that mentions nobody and links nowhere."""
    return _DOTS.sub(_BREAK, trusted(text))


def trusted(text: object) -> str:
    """A text of the register's or the configuration's on one line, that mentions nobody; names on the net stay whole."""
    return _SIGNS.sub(_BREAK, " ".join(_CONTROL.sub(" ", str(text)).split()))


def link(url: object) -> str:
    """An address with nothing in it that a platform could read as a mention or the end of a link."""
    return percent(str(url), safe=_URL_SAFE) if isinstance(url, str) and url.startswith(("http://", "https://")) else ""


def _fitting(event: dict[str, Any], title: str, room: Room) -> str:
    """The lines of the body in as much room as there is below the title."""

    def fits(text: str) -> bool:
        return (not room.lines or text.count("\n") < room.lines) and room.cost(title, text) <= room.body

    quoted = str(_quote(event))
    for sources in (3, 1, 0):
        low, high = min(_SHORT, len(quoted)), len(quoted)
        if not fits(_body(event, quoted, low, sources)):
            continue
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits(_body(event, quoted, middle, sources)) else (low, middle - 1)
        return _body(event, quoted, low, sources)
    short = "\n".join(_body(event, quoted, min(_SHORT, len(quoted)), 0).splitlines()[: room.lines or None])
    return _cut_to(short, fits)


def _cut_to(text: str, fits: Callable[[str], bool]) -> str:
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(_cut(text, middle)) else (low, middle - 1)
    return _cut(text, low)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: max(0, longest - 1)] + "…" if longest else ""


def _title(event: dict[str, Any]) -> str:  # noqa: PLR0911 - one for each kind
    data, kind = _dict(event.get("data")), event.get("type")
    claim, mention = _dict(data.get("claim")), _dict(data.get("mention"))
    verdict = harmless(_dict(data.get("occurrence")).get("verdict") or claim.get("verdict") or "")
    where = f" on {harmless(mention['platform'])}" if mention.get("platform") else ""
    name = trusted(_dict(data.get("source") or data.get("endpoint")).get("name", ""))
    match kind:
        case "claim.new":
            return f"New {verdict} claim{where}"
        case "claim.spreading":
            return f"{verdict.capitalize()} claim is spreading: {claim.get('authors')} authors"
        case "claim.resurfaced":
            return f"{verdict.capitalize()} claim is back{where}"
        case "claim.verdict_changed":
            return f"Verdict changed: {harmless(_dict(data.get('before')).get('verdict', ''))} to {verdict}"
        case "safety.signal":
            return f"A post{where} reports harm"
        case "mention.deleted":
            return f"A post{where} was deleted"
        case "evidence.news":
            return "News for the register of evidence"
        case "source.down" | "source.silent" | "source.recovered":
            return f"The source {name} {'is' if kind != 'source.recovered' else 'has'} {str(kind).partition('.')[2]}"
        case "endpoint.disabled":
            return f"The endpoint {name} is disabled"
        case "digest":
            return "1 alert" if data.get("count") == 1 else f"{data.get('count')} alerts"
        case "test":
            return f"A test of the endpoint {name}"
    return harmless(kind)


def _quote(event: dict[str, Any]) -> str:
    data = _dict(event.get("data"))
    found = _dict(data.get("occurrence")).get("quote")
    return harmless(found or "" if "occurrence" in data else _dict(data.get("mention")).get("text") or "")


def _body(event: dict[str, Any], quoted: str, characters: int, sources: int) -> str:
    data = _dict(event.get("data"))
    claim, mention = _dict(data.get("claim")), _dict(data.get("mention"))
    lines: list[str] = []
    if claim:
        lines.append(f"Claim: {harmless(claim.get('claim'))}")
        lines.append(f"Verdict: {_verdict(_dict(data.get('occurrence')) or claim)}")
    if quoted:
        lines.append(f"Quote: “{_cut(quoted, characters)}”")
    if url := link(mention.get("url")):
        lines.append(f"Link: {url}")
    lines += _sources(_list(data.get("evidence")), sources)
    lines += [f"- {harmless(_dict(item).get('summary') or _dict(item).get('title') or '')}" for item in _list(data.get("items"))]
    about = _dict(data.get("source") or data.get("endpoint"))
    for key in ("state", "last_error", "last_success"):
        if about.get(key):
            lines.append(f"{key.replace('_', ' ').capitalize()}: {harmless(about[key])}")
    if data.get("truncated") and "items" in data:
        lines.append("And more: see the list of alerts.")
    lines.append(f"Alert: {harmless(data.get('alert_id'))}")
    return "\n".join(lines)


def _verdict(ruled: dict[str, Any]) -> str:
    verdicts = ", ".join(f"{harmless(where)} {harmless(said)}" for where, said in _dict(ruled.get("verdicts")).items())
    basis = {"register": "by the register of evidence", "burden of proof": "nobody has shown it"}.get(str(ruled.get("basis")), "")
    return harmless(ruled.get("verdict")) + (f" ({verdicts})" if verdicts else "") + (f", {basis}" if basis else "")


def _sources(evidence: Sequence[Any], most: int) -> list[str]:
    shown = [f"Source: {trusted(_dict(one).get('citation'))} {link(_dict(one).get('url'))}".rstrip() for one in evidence[:most]]
    more = len(evidence) - len(shown)
    return [*shown, f"Sources: {more} more"] if more > 0 and most else shown


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
