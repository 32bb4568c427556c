"""What a sender tells its operator, beside its attempts: of which endpoint, why, and how many."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from msgspec.structs import replace
from sqlalchemy import text

from monitor.ids import stored_id
from monitor.settings.endpoint import Endpoint
from monitor.settings.timing import parse_digest
from monitor.store import Database
from monitor.store.budgets import Recipient
from tests.delivering import Clock, logged, raise_claim, sender, state_of
from tests.one_database import store_url
from tests.receiver import SECRET, Receiver, status
from tests.test_store import carries, judged, post, write

__all__ = ["store_url"]


def beside_attempts(logs: Any) -> list[dict[str, Any]]:
    """The lines that are about no attempt, without their words."""
    return [{name: value for name, value in line.items() if name != "event"} for line in logs if "attempt" not in line]


async def test_why_an_endpoint_was_disabled_and_what_it_is_not_sent(database: Database, clock: Clock, receiver: Receiver) -> None:
    receiver.script(status(410))
    await raise_claim(database, 1)
    sending = sender(database, clock, receiver.endpoint())
    with structlog.testing.capture_logs() as logs:
        await sending.flush()
        for n in (2, 3):
            await raise_claim(database, n)
        await sending.flush()
        await sending.flush()
    assert beside_attempts(logs) == [
        {"endpoint": "hook", "log_level": "warning", "reason": "answered 410: the receiver wants no more"},
        {"endpoint": "hook", "log_level": "warning", "dead": 2},
    ]
    assert await state_of(database, receiver.endpoint()) == ("disabled", 0, 3)


async def test_which_alert_could_not_be_read(database: Database, clock: Clock, receiver: Receiver) -> None:
    await raise_claim(database, 1)
    (waiting,) = await logged(database)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alert SET subject = '{'"))
    with structlog.testing.capture_logs() as logs:
        await sender(database, clock, receiver.endpoint()).flush()
    together, alone = beside_attempts(logs)
    assert (together["endpoint"], together["log_level"]) == ("hook", "warning")
    assert together["error"].startswith("DecodeError: ")
    assert (alone["endpoint"], alone["log_level"], alone["alert"]) == ("hook", "error", waiting.alert_id)
    assert stored_id("a", alone["alert"]) is not None
    assert type(alone["exc_info"]).__name__ == "DecodeError"


async def test_endpoints_that_nothing_can_be_sent_to_and_digests_that_nobody_sends(
    database: Database, clock: Clock, receiver: Receiver
) -> None:
    for n in range(2):
        one = judged(n, post(str(n), f"claim {n}"), carries(f"claim {n}", f"claim {n}", f"claim-{n}"))
        kept = (Recipient("gone", digest=parse_digest("hourly")), Recipient("hook", digest=parse_digest("hourly")))
        await write(database, replace(one, alerts=(replace(one.alerts[0], recipients=kept),)))
    plain = Endpoint(name="plain", kind="webhook", url="http://example.org/hush", secret=[SECRET])
    log = Endpoint(name="log", kind="apprise", url="syslog://hush")
    stop = asyncio.Event()
    sending = sender(database, clock, receiver.endpoint(), plain, log)
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(sending.run(stop))
        async with asyncio.timeout(30):
            while len(logs) < 3:
                await asyncio.sleep(0.01)
        stop.set()
        await running
    http, local, waiting = beside_attempts(logs)
    assert http.pop("problem").startswith("its url starts with http://: use https://")
    assert local.pop("problem").startswith("syslog:// speaks to this machine itself")
    assert [http, local] == [{"endpoint": name, "log_level": "warning"} for name in ("plain", "log")]
    assert waiting == {"endpoint": "gone", "alerts": 2, "log_level": "warning"}
    assert "hush" not in str(logs)
