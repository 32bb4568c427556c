"""The vocabulary of exowatch, typed: what every part says to every other, and to its users.

The names are those of the docs and of the HTTP interface. All records are immutable; times are integers of milliseconds since
1970 in UTC inside the program, and RFC 3339 text where a user sees them (`monitor.times`). Offsets count Unicode code points.
"""

from __future__ import annotations

import hashlib
from typing import Any, Generic, Literal, TypeVar, get_args

import msgspec

ClaimType = Literal[
    "skin_efficacy",
    "hair_efficacy",
    "disease_treatment",
    "safety",
    "regulatory_status",
    "composition",
    "mechanism",
    "superiority",
    "authority",
]
Stance = Literal["asserts", "denies", "asks", "reports"]
Verdict = Literal["supported", "unsupported", "contradicted"]
Basis = Literal["register", "burden of proof"]
MentionState = Literal["live", "edited", "deleted", "expired"]
ClaimState = Literal["open", "confirmed", "dismissed", "muted"]
SourceState = Literal["ok", "waiting", "failing", "down", "silent", "off"]
GapState = Literal["open", "refilled", "lost"]
EndpointState = Literal["ok", "failing", "disabled"]
DeliveryState = Literal["pending", "delivered", "dead"]
AlertKind = Literal[
    "claim.new",
    "claim.spreading",
    "claim.resurfaced",
    "claim.verdict_changed",
    "safety.signal",
    "source.down",
    "source.silent",
    "source.recovered",
    "mention.deleted",
    "evidence.news",
    "endpoint.disabled",
    "digest",
    "test",
]

T = TypeVar("T")

CLAIM_TYPES: tuple[ClaimType, ...] = get_args(ClaimType)
STANCES: tuple[Stance, ...] = get_args(Stance)
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
CLAIM_STATES: tuple[ClaimState, ...] = get_args(ClaimState)
DELIVERY_STATES: tuple[DeliveryState, ...] = get_args(DeliveryState)

# The longest text of one post that is kept; what is longer is cut there. Articles of 2,000 words are a tenth of it.
MAX_TEXT = 100_000
MAX_ID = 512
MAX_URL = 2_048
MAX_NAME = 256


class Post(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One public post as a collector heard it, before anything is known about it.

    `platform` and `id` (the platform's own) identify it. `text` is the whole of what is judged: `compose_text(title, body)`.
    `fresh` is false only for what a collector's catch-up found beyond `alerts.max_age`: stored, but never a `claim.new`.
    `edited`: it may be an edit of one that was heard before, and so counts for that one whatever it speaks of now.
    """

    platform: str
    id: str
    text: str
    url: str | None = None
    author: str | None = None
    created_at: int | None = None  # ms
    lang: str | None = None
    source: str = ""
    fresh: bool = True
    edited: bool = False

    @property
    def version(self) -> str:
        """Names this text of this post: the same for the same post heard twice, another after an edit."""
        body = "\0".join((self.platform, self.id, self.text))
        return hashlib.blake2b(body.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def compose_text(title: str | None, body: str | None) -> str:
    """A post's text: title and body joined by a blank line where it has both (offsets count from here)."""
    return "\n\n".join(part for part in ((title or "").strip(), (body or "").strip()) if part)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One citation behind a verdict, as users see it."""

    id: str
    citation: str
    url: str | None


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One place where a mention carries a claim; `text[start:end] == quote`."""

    quote: str
    start: int
    end: int
    type: ClaimType
    stance: Stance
    distance: bool
    testimonial: bool
    claim_id: str
    claim: str
    verdict: Verdict
    verdicts: dict[str, Verdict]
    basis: Basis
    confidence: float
    evidence: tuple[Evidence, ...]
    why: str

    @property
    def put_forward(self) -> bool:
        """Whether the writer puts the claim forward as true (the codebook's condition for an alert)."""
        return self.stance == "asserts" or (self.stance == "reports" and not self.distance)

    @property
    def alerting(self) -> bool:
        """The codebook's rule: put forward, and the record does not carry it."""
        return self.put_forward and self.verdict != "supported"


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """How the classifier saw words that make a claim which the lexicon does not know: a vector of numbers of 16 bits.

    A claim whose vector's cosine with it is at least `maybe` is likely the same, from `sure` on surely.
    """

    vector: bytes
    maybe: float
    sure: float


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What exowatch makes of one text. `alert` is the codebook's rule, before confidence, novelty and mutes."""

    id: str
    relevant: bool
    language: str | None
    adverse_event: bool
    alert: bool
    claims: tuple[Occurrence, ...]
    classifier: str
    register: str


# What users read back, as HTTP, events and `--format json` print it: times are RFC 3339 text.


class Mention(msgspec.Struct, frozen=True, kw_only=True):
    """One stored post with its judgement. `text` is None and quotes are empty once the text was deleted or has expired.

    `watch` are the names of the watchlist that it speaks of. `classifier` is the version that read it, and `register` the one
    that its claims are held against.
    """

    id: str
    platform: str
    platform_id: str
    source: str
    url: str | None
    author: str | None
    text: str | None
    language: str | None
    created_at: str | None
    seen_at: str
    edited_at: str | None
    state: MentionState
    relevant: bool
    adverse_event: bool
    alert: bool
    claims: tuple[Occurrence, ...]
    watch: tuple[str, ...] = ()
    classifier: str = ""
    register: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One proposition, whoever made it. `mentions` counts posts that carry it, `authors` those who put it forward."""

    id: str
    claim: str
    type: ClaimType
    verdict: Verdict
    verdicts: dict[str, Verdict]
    basis: Basis
    evidence: tuple[Evidence, ...]
    entry: str | None
    state: ClaimState
    first_seen: str
    last_seen: str
    mentions: int
    authors: int
    platforms: dict[str, int]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One thing worth a person's attention; `summary` never holds a post's own words."""

    id: str
    kind: AlertKind
    created_at: str
    claim_id: str | None
    mention_id: str | None
    summary: str


class SourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one source is. `lag_s`: age in seconds of the newest post when it was heard; `heard`: posts seen, on topic or not."""

    name: str
    kind: str
    state: SourceState
    last_success: str | None
    last_error: str | None
    lag_s: float | None
    heard: int
    gaps: tuple[CoverageGap, ...]


class CoveredSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which all that a source carried was heard."""

    since: str
    until: str


class CoverageGap(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which posts may have been missed: `what` happened, noted `at`; refilled, or lost for good."""

    at: str
    what: str
    since: str
    until: str
    state: GapState


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What of a source was surely heard. Nothing is known yet of the time after `open_since`; it goes to the next poll that ends
    well. `late` posts came for a time that was covered before, the last of them at `last_late`."""

    source: str
    state: SourceState
    covered: tuple[CoveredSpan, ...]
    gaps: tuple[CoverageGap, ...]
    open_since: str | None
    late: int
    last_late: str | None


class EndpointStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one endpoint is; `pending` and `dead` count deliveries."""

    name: str
    kind: str
    state: EndpointState
    pending: int
    dead: int


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at a delivery: HTTP status (None where no answer came), milliseconds it took, the answer's first kilobyte."""

    at: str
    status: int | None
    ms: int
    error: str | None
    answer: str | None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One alert's way to one endpoint."""

    id: str
    alert_id: str
    endpoint: str
    webhook_id: str
    attempts: tuple[Attempt, ...]
    state: DeliveryState


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A part of a list, and the cursor of the part after it (None at the end)."""

    items: list[T]
    next: str | None


def why(reading: str, ruling: str) -> str:
    """The sentence on how a verdict came about: how the words were read, and what the register says to it."""
    return f"{reading}; {ruling}." if ruling else f"{reading}."


_encoder = msgspec.json.Encoder()
_post_decoder = msgspec.json.Decoder(Post)


def encode(value: Any) -> bytes:
    """JSON bytes of any record here."""
    return _encoder.encode(value)


def decode_post(data: bytes) -> Post:
    """A post from the stream. Raises msgspec.DecodeError or msgspec.ValidationError for anything else."""
    return _post_decoder.decode(data)
