"""What waits for an earlier delivery of its claim is due with it: not passed over at each look, nor forgotten."""

from __future__ import annotations

from sqlalchemy import select

from monitor.ids import claim_id_of, public_id
from monitor.store import Database, deliveries, outbox, reviews
from monitor.store.budgets import Recipient
from monitor.store.deliveries import Tried
from monitor.store.following import SURELY_NO_LEASE_MS
from monitor.store.outbox import AlertDraft
from monitor.store.tables import delivery, mention
from monitor.times import now_ms
from tests.delivering import Clock, raise_claim, raise_more, sender
from tests.receiver import Receiver, status
from tests.test_store import NOW, carries, judged, post, write
from workers.deliver.queue import LEASE_MS
from workers.deliver.schedule import WAITS

FAR_MS = SURELY_NO_LEASE_MS + 60_000


async def due_times(database: Database) -> list[int]:
    """When each pending delivery is due, by alert."""
    query = select(delivery.c.next_ms).where(delivery.c.state == "pending").order_by(delivery.c.alert_id)
    async with database.read() as connection:
        return list((await connection.execute(query)).scalars())


async def fail(database: Database, now: int, until: int) -> None:
    """Takes what is due and notes that it failed and is tried again then."""
    async with database.write() as connection:
        for due in await deliveries.lease_due(connection, "hook", now, 10, LEASE_MS):
            await deliveries.settle(connection, due, Tried(at_ms=now, ms=5, error="no"), "pending", until)


async def test_what_follows_a_failed_delivery_is_due_with_it_and_goes_out_right_after(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    for n in (1, 2):
        await raise_claim(database, n)
        await raise_more(database, n, "claim.spreading")
    receiver.script(status(500), status(500))
    sending = sender(database, clock, receiver.endpoint())
    await sending.flush()
    assert await due_times(database) == [NOW + WAITS[0]] * 4
    clock.now += WAITS[0]
    assert await sending.flush() == 4
    kinds = [(got.quote, got.event["type"]) for got in receiver.kept[2:]]
    for claim in ("claim 1", "claim 2"):
        assert [kind for quote, kind in kinds if quote == claim] == ["claim.new", "claim.spreading"]


async def test_a_new_alert_behind_one_that_waits_for_long_is_due_with_it(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    for n in (1, 2):
        await raise_claim(database, n, "hook", "other")
    later = now_ms() + FAR_MS
    await fail(database, NOW, later)
    await raise_more(database, 1, "claim.spreading", "hook", "other")
    await raise_claim(database, 3)
    async with database.read() as connection:
        rows = await connection.execute(select(delivery.c.endpoint, delivery.c.next_ms).order_by(delivery.c.alert_id))
        times = sorted((name, ms) for name, ms in rows)
    assert times == [("hook", 0), *[("hook", later)] * 3, *[("other", 0)] * 3], "only at the endpoint where it waits"
    clock.now = later
    assert await sender(database, clock, receiver.endpoint()).flush() == 4


async def test_behind_one_that_is_in_hand_it_is_due_at_once(database: Database, clock: Clock, receiver: Receiver) -> None:
    await raise_claim(database, 1)
    async with database.write() as connection:
        await deliveries.lease_due(connection, "hook", now_ms(), 1, LEASE_MS)
    await raise_more(database, 1, "claim.spreading")
    assert (await due_times(database))[1] == 0


async def test_a_success_that_comes_late_lets_go_of_what_follows(database: Database) -> None:
    await raise_claim(database, 1)
    await raise_more(database, 1, "claim.spreading")
    async with database.write() as connection:
        (slow,) = await deliveries.lease_due(connection, "hook", NOW, 10, LEASE_MS)
    await fail(database, NOW + LEASE_MS, NOW + LEASE_MS + FAR_MS)  # another sender, after the lease
    assert await due_times(database) == [NOW + LEASE_MS + FAR_MS] * 2
    async with database.write() as connection:
        await deliveries.settle_delivered(connection, [(slow, Tried(at_ms=NOW + LEASE_MS, ms=5, status=204))])
    assert await due_times(database) == [0]


async def test_what_was_split_off_does_not_wait_for_the_claim_that_it_was_of(database: Database) -> None:
    text, draft = "claim 1", AlertDraft(kind="claim.spreading", dedupe_key="x", summary="x", recipients=(Recipient("hook"),))
    for n in (1, 2):
        await write(database, judged(n, post(str(n), text), carries(text, text, "claim-1")))
    async with database.write() as connection:
        second = (await connection.execute(select(mention.c.id).where(mention.c.platform_id == "2"))).scalar_one()
        await outbox.raise_alerts(connection, [(draft, claim_id_of("claim-1"), second)])
    later = now_ms() + FAR_MS
    await fail(database, NOW, later)
    assert await due_times(database) == [later] * 2
    async with database.write() as connection:
        await reviews.split(connection, claim_id_of("claim-1"), [public_id("m", second)], "Another claim.", "ann")
    assert await due_times(database) == [later, 0]
