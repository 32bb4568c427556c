"""Which endpoints are told of an alert, each with its budget."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from monitor.settings.alerting import About, wants
from monitor.settings.model import Endpoint
from monitor.store.budgets import Recipient
from monitor.words import AlertKind


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
