"""A receiver that is away for a day while ten thousand alerts pile up, and a sender that is killed in the middle of the rest."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import defaultdict
from pathlib import Path

from sqlalchemy import func, select

from monitor.ids import stored_id
from monitor.settings import Settings
from monitor.store import Database, alerts, outbox, parse_filters
from monitor.store.budgets import Recipient
from monitor.store.outbox import AlertDraft
from monitor.store.tables import attempt
from monitor.words import AlertKind
from tests.delivering import Clock, sender, state_of
from tests.receiver import SECRET, Receiver
from tests.standins.lean_receiver import LeanReceiver
from tests.test_delivery_faults import CHILD
from tests.test_store import carries, judged, post, write
from workers.deliver.queue import LEASE_MS

CLAIMS = 2_500
MORE: tuple[AlertKind, ...] = ("claim.spreading", "claim.resurfaced", "claim.verdict_changed")
HOUR_MS = 3_600_000


async def fill(database: Database) -> int:
    """Four alerts of each claim, all waiting; how many."""
    for start in range(0, CLAIMS, 500):
        batch = []
        for n in range(start, start + 500):
            text = f"claim {n}"
            batch.append(judged(n, post(str(n), text), carries(text, text, f"claim-{n}")))
        await write(database, *batch)
    heard = []
    async with database.read() as connection:
        cursor = None
        while True:
            given = {"limit": ["500"], **({"cursor": [cursor]} if cursor else {})}
            page = await alerts.page(connection, parse_filters(given))
            heard += page.items
            cursor = page.next
            if cursor is None:
                break
    for kind in MORE:
        drafts = [
            (AlertDraft(kind=kind, dedupe_key=f"{kind}:{one.claim_id}", summary=kind, recipients=(Recipient("hook"),)), one)
            for one in heard
        ]
        async with database.write() as connection:
            wanted = [(draft, one.claim_id, stored_id("m", one.mention_id or "")) for draft, one in drafts]
            await outbox.raise_alerts(connection, wanted)
    return len(heard) * (1 + len(MORE))


async def tried(database: Database, attempts: int) -> None:
    """Returns when so many attempts have been written down, in all."""
    while True:
        async with database.read() as connection:
            if (await connection.execute(select(func.count()).select_from(attempt))).scalar_one() >= attempts:
                return
        await asyncio.sleep(0.05)


async def test_nothing_is_lost_or_sent_under_two_ids_and_each_claims_order_is_kept(tmp_path: Path) -> None:
    store_url, clock = f"sqlite:///{tmp_path}/store.sqlite", Clock()
    database = Database(Settings(store={"url": store_url}).sqlalchemy_url)
    await database.migrate()
    number = await fill(database)
    assert number == 10_000
    async with LeanReceiver() as lean:
        endpoint = Receiver().endpoint(url=lean.url)
        lean.up, stop = False, asyncio.Event()
        running = asyncio.create_task(sender(database, clock, endpoint).run(stop))
        await tried(database, CLAIMS)
        clock.now += 7 * HOUR_MS
        await tried(database, 2 * CLAIMS)
        stop.set()
        await running
        assert lean.refused >= CLAIMS
        assert (await state_of(database, endpoint))[:2] == ("failing", 10_000), "nothing is given up on"

        lean.up = True
        clock.now += 17 * HOUR_MS
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, store_url, lean.url, SECRET, str(clock.now), stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await lean.got(3_000)
        finally:
            child.send_signal(signal.SIGKILL)
            await child.wait()
        assert len(lean.kept) < number, "it was killed in the middle"

        clock.now += LEASE_MS
        stop = asyncio.Event()
        running = asyncio.create_task(sender(database, clock, endpoint).run(stop))
        while (await state_of(database, endpoint))[1]:
            await asyncio.sleep(0.05)
        stop.set()
        await running
    assert await state_of(database, endpoint) == ("ok", 0, 0)
    await database.close()

    ids = {webhook_id: alert_id for webhook_id, alert_id, _ in lean.kept}
    assert len(ids) == len(set(ids.values())) == number, "each alert once, under one id"
    assert len(lean.kept) - number <= 256, "no more than the killed one had in hand came twice"
    order: dict[str, list[str]] = defaultdict(list)
    for _, alert_id, claim_id in lean.kept:
        if alert_id not in order[claim_id]:
            order[claim_id].append(alert_id)
    assert all(came == sorted(came) and len(came) == 4 for came in order.values()), "ids of alerts grow with time"
