"""The body of a webhook: built from the record when it is sent, so that words deleted meanwhile are not sent.

`{"type", "timestamp", "data"}` as Standard Webhooks has it, or the envelope of CloudEvents around the same `data`. `data` of an
alert about a claim holds `alert_id, claim, occurrence, mention, evidence`; of any other, `alert_id` and what it speaks of; a thin
one holds ids alone. A body is at most `MAX_BODY` bytes; docs/webhooks.md says what is cut, and where `"truncated": true` then
stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from monitor import tracing
from monitor.store import Connection, alerts, claims, mentions
from monitor.store.alerts import Raised
from monitor.words import Alert, Claim, Evidence, Mention, Occurrence, Post, encode

MAX_BODY = 20_000  # bytes of UTF-8
_MIN_TEXT = 4_000  # bytes of the post's text that are kept, if need be at the expense of its other claims
# What is tried, one after the other, on a body whose size is not in the text: characters of any string, entries of any list.
_LAST_RESORTS = ((2_000, 20), (1_000, 10), (300, 5), (100, 3), (40, 1))
SOURCE = "/exowatch"  # of CloudEvents; an alert's id is its own in all the world of one database


class Form(msgspec.Struct, frozen=True):
    """How an endpoint wants its bodies: in the envelope of CloudEvents 1.0, and with ids alone."""

    cloudevents: bool = False
    thin: bool = False


STANDARD = Form()
FORMS: Mapping[str, Form] = {
    "standard": STANDARD,
    "thin": Form(thin=True),
    "cloudevents": Form(cloudevents=True),
    "cloudevents-thin": Form(cloudevents=True, thin=True),
}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One alert, ready to be sent, and what logs say about it (public ids). `mark`: where the spans of its mention belong."""

    body: bytes
    alert: Alert
    created_ms: int
    mark: tracing.Mark | None = None


async def load_events(connection: Connection, alert_numbers: Sequence[int], form: Form = STANDARD) -> dict[int, Event]:
    """The events of the alerts with these stored ids, as the record has them now; those that are not there are left out."""
    raised = await alerts.load(connection, alert_numbers)
    if form.thin and not tracing.on():
        return {number: _event(one, _thin(one), form, None) for number, one in raised.items()}
    heard = await mentions.load(connection, [one.mention for one in raised.values() if one.mention is not None])
    mentions_by_id = {mention.id: mention for mention in heard}
    if form.thin:
        return {
            number: _event(one, _thin(one), form, mentions_by_id.get(one.alert.mention_id or ""))
            for number, one in raised.items()
        }
    about = await claims.load(connection, [one.alert.claim_id for one in raised.values() if one.alert.claim_id is not None])
    claims_by_id = {claim.id: claim for claim in about}
    events = {}
    for number, one in raised.items():
        mention = mentions_by_id.get(one.alert.mention_id or "")
        events[number] = _event(one, _whole(one, claims_by_id.get(one.alert.claim_id or ""), mention), form, mention)
    return events


def _event(raised: Raised, data: dict[str, Any], form: Form, mention: Mention | None) -> Event:
    alert = raised.alert
    about = alert.claim_id or alert.mention_id
    body = compose(alert.kind, alert.created_at, data, form, about)
    return Event(body=body, alert=alert, created_ms=raised.created_ms, mark=_mark(mention))


def _mark(mention: Mention | None) -> tracing.Mark | None:
    if mention is None or not tracing.on():
        return None
    return tracing.mark(Post(platform=mention.platform, id=mention.platform_id, text=mention.text or ""))


def _whole(raised: Raised, claim: Claim | None, mention: Mention | None) -> dict[str, Any]:
    alert = raised.alert
    if claim is not None:
        return _about_claim(alert, claim, mention, raised.occurrence) | (raised.subject or {})
    return {"alert_id": alert.id, **({} if mention is None else {"mention": mention}), **(raised.subject or {})}


def _about_claim(alert: Alert, claim: Claim, mention: Mention | None, place: int | None) -> dict[str, Any]:
    found = _occurrence(claim.id, mention, place)
    evidence: tuple[Evidence, ...] = claim.evidence if found is None else found.evidence
    return {"alert_id": alert.id, "claim": claim, "occurrence": found, "mention": mention, "evidence": evidence}


def _thin(raised: Raised) -> dict[str, Any]:
    alert = raised.alert
    return thin(alert.id, alert.claim_id, alert.mention_id, raised.subject or {})


def thin(alert_id: str, claim_id: str | None, mention_id: str | None, subject: dict[str, Any]) -> dict[str, Any]:
    """Ids alone: nothing that would have to be deleted at the receiver when it is deleted here. `subject`: what it speaks of."""
    known = {"alert_id": alert_id, "claim_id": claim_id, "mention_id": mention_id}
    return {name: value for name, value in known.items() if value is not None} | _ids_only(subject)


def _ids_only(subject: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in subject.items():
        if isinstance(value, dict):
            found[name] = {key: inner for key, inner in value.items() if key in ("id", "name")}
        elif isinstance(value, list):
            found[name] = [{"id": one["id"]} for one in value if isinstance(one, dict) and "id" in one]
        elif isinstance(value, bool | int):
            found[name] = value  # a digest's count, and whether it is cut
    return {name: value for name, value in found.items() if value != {}}


def _occurrence(claim_id: str, mention: Mention | None, place: int | None) -> Occurrence | None:
    """The occurrence that raised the alert; after an edit another of the same claim, or None where there is none left."""
    if mention is None or place is None:
        return None
    there = mention.claims[place : place + 1]
    return next((one for one in (*there, *mention.claims) if one.claim_id == claim_id), None)


def _cloud_event(kind: str, timestamp: str, data: dict[str, Any], about: str | None) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": data["alert_id"],
        "source": SOURCE,
        "type": kind,
        "time": timestamp,
        **({"subject": about} if about else {}),
        "datacontenttype": "application/json",
        "data": data,
    }


def compose(kind: str, timestamp: str, data: dict[str, Any], form: Form = STANDARD, about: str | None = None) -> bytes:
    """The body, cut to `MAX_BODY` bytes where it would be longer; `data` then says `"truncated": true`.

    First the end of the mention's text goes, then its other claims, at last the ends of whatever is long. The quote in
    `occurrence` is the last to be cut, and offsets always count in the whole text. A digest loses items from the end of its list.
    """

    def body(data: dict[str, Any]) -> bytes:
        if form.cloudevents:
            return encode(_cloud_event(kind, timestamp, data, about))
        return encode({"type": kind, "timestamp": timestamp, "data": data})

    whole = body(data)
    if len(whole) <= MAX_BODY:
        return whole
    data = {**msgspec.to_builtins(data), "truncated": True}
    mention = data.get("mention")
    if isinstance(mention, dict):
        _drop_claims(data, mention, body)
        _cut_text(data, mention, body)
    _drop_items(data, body)
    for longest, most in _LAST_RESORTS:
        if len(body(data)) <= MAX_BODY:
            break
        data = _squeeze(data, longest, most)
    return body(data)


def _drop_claims(data: dict[str, Any], mention: dict[str, Any], body: Callable[[dict[str, Any]], bytes]) -> None:
    """Takes claims from the end of the mention's list, the alert's own apart, until there is room for some of the text."""
    wanted = min(_MIN_TEXT, len(encode(mention.get("text"))))
    own = (data.get("claim") or {}).get("id")
    kept = list(mention.get("claims") or ())
    for one in reversed(kept[:]):
        mention["claims"] = kept
        if len(body({**data, "mention": {**mention, "text": None}})) + wanted <= MAX_BODY:
            break
        if one["claim_id"] != own:
            kept.remove(one)


def _cut_text(data: dict[str, Any], mention: dict[str, Any], body: Callable[[dict[str, Any]], bytes]) -> None:
    """Cuts the end of the mention's text so that the body fits, if that is enough; else leaves a short beginning."""
    text = mention.get("text")
    if not isinstance(text, str):
        return
    room = MAX_BODY - len(body({**data, "mention": {**mention, "text": ""}})) + 2  # its two quotation marks
    low, high = 0, len(text)
    while low < high:  # the longest beginning that fits: escapes make its length in JSON another than its own
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(encode(text[:middle])) <= room else (low, middle - 1)
    mention["text"] = text[:low]


def _drop_items(data: dict[str, Any], body: Callable[[dict[str, Any]], bytes]) -> None:
    """Keeps as many of a digest's items as fit, and the first of them in any case."""
    items = data.get("items")
    if not isinstance(items, list) or not items:
        return
    low, high = 1, len(items)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(body({**data, "items": items[:middle]})) <= MAX_BODY else (low, middle - 1)
    data["items"] = items[:low]


def _squeeze(value: Any, longest: int, most: int, key: str = "") -> Any:
    """Cuts every string and list in it. Ids stay, since a part of an id is none; likewise an address goes as a whole."""
    if isinstance(value, str):
        if key == "id" or key.endswith("_id") or len(value) <= longest:
            return value
        return None if key == "url" else value[:longest]
    if isinstance(value, list | tuple):
        return [_squeeze(one, longest, most) for one in value[:most]]
    if isinstance(value, dict):
        return {name: _squeeze(inner, longest, most, name) for name, inner in list(value.items())[: max(most, 20)]}
    return value
