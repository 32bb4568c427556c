"""Clocks that are wrong on one machine of many."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from monitor.settings import Settings
from monitor.store import Database, deliveries, outbox
from monitor.times import now_ms
from tests.delivering import raise_claim, raise_more
from tests.postgres import Postgres
from tests.receiver import Receiver, held
from workers.deliver import clock
from workers.deliver.queue import LEASE_MS
from workers.deliver.sender import Sender

HOUR_MS = 3_600_000


@pytest.fixture
async def shared(postgres_server: Postgres) -> AsyncIterator[Database]:
    database = Database(Settings(store={"url": postgres_server.fresh_database()}).sqlalchemy_url)
    yield database
    await database.close()


@pytest.mark.parametrize("wrong_ms", [HOUR_MS, -HOUR_MS])
async def test_a_sender_whose_clock_is_wrong_signs_by_the_databases_and_leases_no_longer_than_others(
    shared: Database, monkeypatch: pytest.MonkeyPatch, wrong_ms: int
) -> None:
    monkeypatch.setattr(clock, "now_ms", lambda: now_ms() + wrong_ms)
    stop = asyncio.Event()
    async with Receiver() as receiver:  # which takes a time that is at most five minutes off
        answer = asyncio.Event()

        receiver.always(held(answer))
        await raise_claim(shared, 1, "hook")
        sender = Sender(shared, [receiver.endpoint()])
        running = asyncio.create_task(sender.run(stop))
        (got,) = await receiver.got(1)
        assert abs(got.timestamp - now_ms() / 1000) < 60
        async with shared.read() as connection:
            until = await deliveries.next_due(connection, "hook")
        assert until is not None
        assert 0 < until - now_ms() <= LEASE_MS, (
            "who comes after a sender that died here waits for half a minute, not for an hour"
        )
        answer.set()
        stop.set()
        await running
    assert not receiver.forged


async def test_alerts_of_a_claim_go_out_in_their_order_though_a_workers_clock_was_ahead(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as ahead:
        ahead.setattr(outbox, "now_ms", lambda: now_ms() + HOUR_MS)
        ahead.setattr(outbox._Numbers, "last", outbox._Numbers.last)  # those of this hour are another process's
        await raise_claim(database, 1, "hook")
    await raise_more(database, 1, "claim.spreading", "hook")
    await raise_more(database, 1, "claim.resurfaced", "hook")
    async with Receiver() as receiver:
        sender = Sender(database, [receiver.endpoint()])
        while await sender.flush():
            pass
        kinds = [json.loads(got.raw)["type"] for got in receiver.kept]
    assert kinds == ["claim.new", "claim.spreading", "claim.resurfaced"]
