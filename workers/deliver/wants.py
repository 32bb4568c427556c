"""Which alerts an endpoint is told about, and which endpoints an alert."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from monitor.settings.model import Endpoint
from monitor.store.budgets import Recipient
from monitor.words import AlertKind, ClaimType, Verdict


class About(Protocol):
    """What an alert about a claim can be asked: an occurrence answers, and so does a claim."""

    @property
    def type(self) -> ClaimType: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def confidence(self) -> float: ...


def wants(endpoint: Endpoint, kind: AlertKind, occurrence: About | None, platform: str | None) -> bool:
    """Whether the endpoint's filters let an alert through, judged on the occurrence that raised it.

    An alert without an occurrence (a source that is down) passes the filters that ask about one, and likewise for the platform:
    what cannot be asked is not refused. `events` alone decides about those.
    """
    if endpoint.events and kind not in endpoint.events:
        return False
    if endpoint.platforms and platform is not None and platform not in endpoint.platforms:
        return False
    if occurrence is None:
        return True
    if endpoint.types and occurrence.type not in endpoint.types:
        return False
    if endpoint.verdicts and occurrence.verdict not in endpoint.verdicts:
        return False
    return occurrence.confidence >= endpoint.min_confidence


def recipients(
    endpoints: Iterable[Endpoint], kind: AlertKind, occurrence: About | None, platform: str | None
) -> tuple[Recipient, ...]:
    """The endpoints that want an alert, each with its budget; asked as in `wants`."""
    return tuple(Recipient(one.name, one.max_per_hour) for one in endpoints if wants(one, kind, occurrence, platform))
