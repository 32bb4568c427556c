"""The bodies of all webhooks as types, one a kind and form, with an example each; `docs/events/` is made from here.

What the sender builds (`events.py`) is held against these types by the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from monitor.events import SOURCE, STANDARD, Form, compose, thin
from monitor.notices import NewsKind
from monitor.words import Alert, AlertKind, Claim, EndpointStatus, Evidence, Mention, Occurrence, SourceStatus, Verdict

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KINDS: tuple[AlertKind, ...] = get_args(AlertKind)


class Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every alert's data holds. `truncated` stands there where something was cut."""

    alert_id: str
    truncated: Literal[True] | msgspec.UnsetType = msgspec.UNSET


class AboutClaim(Data, frozen=True, kw_only=True):
    """An alert about a claim: the occurrence that raised it, its post, and what the verdict rests on."""

    claim: Claim
    occurrence: Occurrence | None
    mention: Mention | None
    evidence: tuple[Evidence, ...]


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """How a claim was judged before."""

    verdict: Verdict
    verdicts: dict[str, Verdict]


class AboutVerdict(AboutClaim, frozen=True, kw_only=True):
    """A claim whose verdict an edit of the register changed."""

    before: Before


class AboutMention(Data, frozen=True, kw_only=True):
    """An alert about a post."""

    mention: Mention


class AboutSource(Data, frozen=True, kw_only=True):
    """An alert about a source."""

    source: SourceStatus


class AboutEndpoint(Data, frozen=True, kw_only=True):
    """An alert about an endpoint."""

    endpoint: EndpointStatus


class News(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may change the register. `item` is its id where it is kept (`register`); `entries` of ours cite it."""

    id: str
    register: str
    item: str
    kind: NewsKind
    state: str
    title: str
    url: str | None
    summary: str
    entries: tuple[str, ...]


class AboutNews(Data, frozen=True, kw_only=True):
    """News for the register's editor."""

    items: tuple[News, ...]


class Digest(Data, frozen=True, kw_only=True):
    """Alerts that were kept for one message, the newest last; `count` is how many there are, listed or not."""

    items: tuple[Alert, ...]
    count: int


class Id(msgspec.Struct, frozen=True):
    """One of a list, by its id."""

    id: str


class Name(msgspec.Struct, frozen=True):
    """A source or an endpoint, by its name."""

    name: str


class ThinClaim(Data, frozen=True, kw_only=True):
    """An alert about a claim, and the post that raised it."""

    claim_id: str
    mention_id: str


class ThinVerdict(Data, frozen=True, kw_only=True):
    """A claim that is judged otherwise now."""

    claim_id: str


class ThinMention(Data, frozen=True, kw_only=True):
    """An alert about a post."""

    mention_id: str


class ThinSource(Data, frozen=True, kw_only=True):
    """An alert about a source."""

    source: Name


class ThinEndpoint(Data, frozen=True, kw_only=True):
    """An alert about an endpoint."""

    endpoint: Name


class ThinNews(Data, frozen=True, kw_only=True):
    """News for the register's editor."""

    items: tuple[Id, ...]


class ThinDigest(Data, frozen=True, kw_only=True):
    """Alerts that were kept for one message, the newest last; `count` is how many there are, listed or not."""

    items: tuple[Id, ...]
    count: int


THIN: Mapping[type[Data], type[Data]] = {
    AboutClaim: ThinClaim,
    AboutVerdict: ThinVerdict,
    AboutMention: ThinMention,
    AboutSource: ThinSource,
    AboutEndpoint: ThinEndpoint,
    AboutNews: ThinNews,
    Digest: ThinDigest,
}


class Event(msgspec.Struct, frozen=True):
    """What a kind of alert is: the type of its `data`, and when it is raised."""

    data: type[Data]
    when: str


EVENTS: Mapping[AlertKind, Event] = {
    "claim.new": Event(AboutClaim, "A claim that the record does not support is put forward for the first time."),
    "claim.spreading": Event(AboutClaim, "Such a claim has been put forward by 10, 100, 1000 distinct authors."),
    "claim.resurfaced": Event(AboutClaim, "It comes back after a long time in which nobody put it forward."),
    "claim.verdict_changed": Event(
        AboutVerdict,
        "An edit of the register changes the verdict of a claim on record; occurrence and mention are null.",
    ),
    "safety.signal": Event(AboutMention, "A post reports harm."),
    "source.down": Event(AboutSource, "A source failed beyond its patience."),
    "source.silent": Event(AboutSource, "A source went quiet though it normally speaks."),
    "source.recovered": Event(AboutSource, "A source that was down or silent is back."),
    "mention.deleted": Event(AboutMention, "A post that this endpoint was told about has been deleted at its platform."),
    "evidence.news": Event(AboutNews, "There is news for the register's editor."),
    "endpoint.disabled": Event(AboutEndpoint, "Another endpoint was switched off."),
    "digest": Event(Digest, "Alerts that were kept for one message: beyond a budget, or because the endpoint asked for digests."),
    "test": Event(AboutEndpoint, "Somebody asked for a test."),
}
_AT = "2026-11-22T12:00:00.000Z"


def schema_of(kind: AlertKind, form: Form = STANDARD) -> dict[str, Any]:
    """The JSON Schema of one kind's body in a form, with an example in it."""
    about = EVENTS[kind].data
    (data,), components = msgspec.json.schema_components([THIN[about] if form.thin else about], ref_template="#/$defs/{name}")
    folder = ("cloudevents-thin/" if form.thin else "cloudevents/") if form.cloudevents else "thin/" if form.thin else ""
    properties = _envelope(kind) if form.cloudevents else _plain(kind)
    return {
        "$schema": DIALECT,
        "$id": f"https://exowatch.invalid/events/{folder}{kind}.json",
        "title": kind,
        "description": EVENTS[kind].when,
        "type": "object",
        "required": [name for name in properties if name != "subject"] + ["data"],
        "properties": {**properties, "data": data},
        "$defs": components,
        "examples": [example_of(kind, form)],
    }


def _plain(kind: AlertKind) -> dict[str, Any]:
    return {"type": {"const": kind}, "timestamp": _RAISED}


def _envelope(kind: AlertKind) -> dict[str, Any]:
    """That of CloudEvents 1.0."""
    return {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "description": "The alert's id."},
        "source": {"const": SOURCE},
        "type": {"const": kind},
        "time": _RAISED,
        "subject": {"type": "string", "minLength": 1, "description": "The id of its claim, or else of its mention."},
        "datacontenttype": {"const": "application/json"},
    }


_RAISED = {"type": "string", "format": "date-time", "description": "When the alert was raised."}


def example_of(kind: AlertKind, form: Form = STANDARD) -> dict[str, Any]:
    """A body of this kind, as the sender would build it."""
    data = {
        name: value for name, value in msgspec.structs.asdict(_EXAMPLES[EVENTS[kind].data]).items() if value is not msgspec.UNSET
    }
    if kind == "source.recovered":
        data["source"] = msgspec.structs.replace(_SOURCE, state="ok", last_error=None)
    elif kind == "source.silent":
        data["source"] = msgspec.structs.replace(_SOURCE, state="silent", last_error=None)
    elif kind == "mention.deleted":
        data["mention"] = msgspec.structs.replace(_MENTION, state="deleted", text=None, claims=(_without_words(),))
    elif kind == "endpoint.disabled":
        data["endpoint"] = msgspec.structs.replace(_ENDPOINT, name="other", state="disabled", dead=12)
    claim_id, mention_id = (getattr(data.get(name), "id", None) for name in ("claim", "mention"))
    if form.thin:
        subject = {name: data[name] for name in ("source", "endpoint", "items", "count") if name in data}
        data = thin(_ID, claim_id, mention_id, msgspec.json.decode(msgspec.json.encode(subject)))
    example: dict[str, Any] = msgspec.json.decode(compose(kind, _AT, data, form, claim_id or mention_id))
    return example


def _without_words() -> Occurrence:
    return msgspec.structs.replace(_OCCURRENCE, quote="")


_EVIDENCE = (Evidence(id="E1", citation="Agency A: notice to consumers, 2026", url="https://agency.example/notice"),)
_TEXT = "Have you heard? These drops are FDA approved."
_OCCURRENCE = Occurrence(
    quote="FDA approved",
    start=32,
    end=44,
    type="regulatory_status",
    stance="asserts",
    distance=False,
    testimonial=False,
    claim_id="c_06h4a0xq7m2kz",
    claim="The drops are approved by the FDA.",
    verdict="contradicted",
    verdicts={"US": "contradicted"},
    basis="register",
    confidence=0.97,
    evidence=_EVIDENCE,
    why="read as approval by the FDA; register entry fda-approved says contradicted for US.",
)
_MENTION = Mention(
    id="m_1hpxk3v8zzz01",
    platform="reddit",
    platform_id="t3_abc123",
    source="skincare-reddit",
    url="https://www.reddit.com/r/SkincareAddiction/comments/abc123/",
    author="p_3f2a9c01b7de",
    text=_TEXT,
    language="en",
    created_at="2026-11-22T11:58:03.000Z",
    seen_at="2026-11-22T11:59:59.800Z",
    edited_at=None,
    state="live",
    relevant=True,
    adverse_event=False,
    alert=True,
    claims=(_OCCURRENCE,),
    watch=(),
)
_CLAIM = Claim(
    id="c_06h4a0xq7m2kz",
    claim="The drops are approved by the FDA.",
    type="regulatory_status",
    verdict="contradicted",
    verdicts={"US": "contradicted"},
    basis="register",
    evidence=_EVIDENCE,
    entry="fda-approved",
    state="open",
    first_seen="2026-11-22T11:59:59.800Z",
    last_seen="2026-11-22T11:59:59.800Z",
    mentions=1,
    authors=1,
    platforms={"reddit": 1},
)
_SOURCE = SourceStatus(
    name="skincare-reddit",
    kind="reddit",
    state="down",
    last_success="2026-11-22T09:12:44.000Z",
    last_error="the server answered 503",
    lag_s=41.5,
    heard=18_204,
    gaps=(),
)
_ENDPOINT = EndpointStatus(name="case-system", kind="webhook", state="ok", pending=0, dead=0)
_ALERT = Alert(
    id="a_1hpxk3v9d0c2e",
    kind="claim.new",
    created_at=_AT,
    claim_id=_CLAIM.id,
    mention_id=_MENTION.id,
    summary="New contradicted claim on reddit: The drops are approved by the FDA.",
)
_ID = "a_1hpxk3v9d0c2e"
_EXAMPLES: Mapping[type[Data], Data] = {
    AboutClaim: AboutClaim(alert_id=_ID, claim=_CLAIM, occurrence=_OCCURRENCE, mention=_MENTION, evidence=_EVIDENCE),
    AboutVerdict: AboutVerdict(
        alert_id=_ID,
        claim=_CLAIM,
        occurrence=None,
        mention=None,
        evidence=_EVIDENCE,
        before=Before(verdict="unsupported", verdicts={"US": "unsupported"}),
    ),
    AboutMention: AboutMention(alert_id=_ID, mention=msgspec.structs.replace(_MENTION, adverse_event=True)),
    AboutSource: AboutSource(alert_id=_ID, source=_SOURCE),
    AboutEndpoint: AboutEndpoint(alert_id=_ID, endpoint=_ENDPOINT),
    AboutNews: AboutNews(
        alert_id=_ID,
        items=(
            News(
                id="n_1hpxk3v9d0c2f",
                register="clinicaltrials",
                item="NCT01234567",
                kind="trial",
                state="completed; results posted",
                title="A trial has posted results",
                url="https://clinicaltrials.gov/study/NCT01234567",
                summary="Phase 2; 40 took part or are to",
                entries=("heals-wounds",),
            ),
        ),
    ),
    Digest: Digest(alert_id=_ID, items=(_ALERT,), count=1),
}
