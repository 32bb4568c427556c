"""Which alerts an endpoint is told about, and which endpoints an alert."""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
    if endpoint.events and kind not in endpoint.events:
        return False
    elsewhere = endpoint.platforms and platform is not None and platform not in endpoint.platforms
    nobody = endpoint.watch and watch is not None and not set(watch).intersection(endpoint.watch)
    if elsewhere or nobody:
        return False
    if occurrence is None:
        return True
    if endpoint.types and occurrence.type not in endpoint.types:
        return False
    if endpoint.verdicts and occurrence.verdict not in endpoint.verdicts:
        return False
    return occurrence.confidence >= endpoint.min_confidence


def recipients(
    endpoints: Iterable[Endpoint],
    kind: AlertKind,
    occurrence: About | None,
    platform: str | None,
    watch: Collection[str] | None = None,
) -> tuple[Recipient, ...]:
    """The endpoints that want an alert, each with its budget; asked as in `wants`."""
    wanting = (one for one in endpoints if wants(one, kind, occurrence, platform, watch))
    return tuple(Recipient(one.name, one.max_per_hour) for one in wanting)
