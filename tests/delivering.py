"""What the tests of delivery share: a clock that a test moves, a receiver, and alerts to be delivered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from monitor.ids import claim_id_of, stored_id
from monitor.settings.endpoint import Endpoint
from monitor.store import Database, alerts, deliveries, endpoints, outbox, parse_filters
from monitor.store.budgets import Recipient
from monitor.store.outbox import AlertDraft
from monitor.words import Delivery
from tests.receiver import (
    Receiver,
)
from tests.test_store import NOW, carries, judged, post, write
from workers.deliver.sender import Sender


class Clock:
    """Virtual time, in ms."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def receiver(clock: Clock) -> AsyncIterator[Receiver]:
    async with Receiver(clock=clock) as receiver:
        yield receiver


def sender(database: Database, clock: Clock, *configured: Endpoint, **more: Any) -> Sender:
    return Sender(database, configured, clock=clock, jitter=lambda: 1.0, **more)


async def raise_claim(database: Database, n: int, *names: str) -> None:
    """A `claim.new` of claim number n, for the endpoints of these names."""
    text = f"claim {n}"
    await write(database, judged(n, post(str(n), text), carries(text, text, f"claim-{n}"), endpoints=names or ("hook",)))


async def raise_more(database: Database, n: int, kind: Any, *names: str) -> None:
    """Another alert about claim number n."""
    draft = AlertDraft(
        kind=kind, dedupe_key=f"{kind}:{n}", summary=kind, recipients=tuple(map(Recipient, names or ("hook",))), occurrence=0
    )
    async with database.write() as connection:
        (raised,) = (await alerts.page(connection, parse_filters({"claim": [claim_id_of(f"claim-{n}")], "limit": ["1"]}))).items
        assert raised.mention_id is not None
        await outbox.raise_alerts(connection, [(draft, raised.claim_id, stored_id("m", raised.mention_id))])


async def logged(database: Database, **more: Any) -> list[Delivery]:
    """All deliveries, the oldest first."""
    async with database.read() as connection:
        page = await deliveries.page(connection, parse_filters({}), **more)
    return page.items[::-1]


async def state_of(database: Database, endpoint: Endpoint) -> tuple[str, int, int]:
    async with database.read() as connection:
        (found,) = await endpoints.endpoint_statuses(connection, [endpoint])
    return found.state, found.pending, found.dead


def number_of(delivery: Delivery) -> int:
    number = stored_id("d", delivery.id)
    assert number is not None
    return number
