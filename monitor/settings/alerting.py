"""Which occurrences may raise an alert, and which endpoints are told: the rules of `[alerts]` and `[[endpoint]]`.

Pure, and here so that whoever raises alerts and whoever explains them ask the same functions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, Protocol

from monitor.settings.endpoint import Endpoint
from monitor.settings.model import Alerts
from monitor.words import AlertKind, ClaimType, Verdict

Filter = Literal["events", "platforms", "watch", "types", "verdicts", "min_confidence"]


class About(Protocol):
    """What an alert about a claim can be asked: an occurrence answers, and so does a claim."""

    @property
    def type(self) -> ClaimType: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def confidence(self) -> float: ...


class Saying(Protocol):
    """What an occurrence says of itself before anything is raised."""

    @property
    def claim_id(self) -> str: ...
    @property
    def alerting(self) -> bool: ...
    @property
    def confidence(self) -> float: ...


def speakers(occurrences: Sequence[Saying]) -> dict[str, int]:
    """{claim id: place} of the occurrences of one post that speak for their claims: of those that may raise an alert by the
    codebook's rule, the surest; of equal ones the first."""
    best: dict[str, int] = {}
    for n, one in enumerate(occurrences):
        before = best.get(one.claim_id)
        if one.alerting and (before is None or one.confidence > occurrences[before].confidence):
            best[one.claim_id] = n
    return best


def is_sure(confidence: float, alerts: Alerts) -> bool:
    """Whether an occurrence of this confidence may raise an alert, and so use up its claim's novelty."""
    return confidence >= alerts.min_confidence


def wants(
    endpoint: Endpoint,
    kind: AlertKind,
    occurrence: About | None,
    platform: str | None,
    watch: Collection[str] | None = None,
) -> bool:
    """Whether the endpoint's filters let an alert through, judged on the occurrence that raised it.

    `watch` are the names of the watchlist that its mention speaks of; None where it has no mention.

    An alert without an occurrence (a source that is down) passes the filters that ask about one, and likewise for the platform
    and the names: what cannot be asked is not refused. `events` alone decides about those.
    """
    return next(refusals(endpoint, kind, occurrence, platform, watch), None) is None


def refusals(
    endpoint: Endpoint,
    kind: AlertKind,
    occurrence: About | None,
    platform: str | None,
    watch: Collection[str] | None = None,
) -> Iterator[Filter]:
    """The endpoint's filters that keep an alert from it, as `wants` asks them."""
    if endpoint.events and kind not in endpoint.events:
        yield "events"
    if endpoint.platforms and platform is not None and platform not in endpoint.platforms:
        yield "platforms"
    if endpoint.watch and watch is not None and not set(watch).intersection(endpoint.watch):
        yield "watch"
    if occurrence is None:
        return
    if endpoint.types and occurrence.type not in endpoint.types:
        yield "types"
    if endpoint.verdicts and occurrence.verdict not in endpoint.verdicts:
        yield "verdicts"
    if occurrence.confidence < endpoint.min_confidence:
        yield "min_confidence"
