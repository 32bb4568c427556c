"""What the log and the metrics tell of an attempt."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from monitor import telemetry
from monitor.events import Event
from monitor.ids import public_id
from monitor.store.deliveries import Due
from monitor.words import Alert
from tests.delivering import Clock
from tests.test_store import NOW
from workers.deliver.logbook import Logbook
from workers.deliver.schedule import Answer, Outcome

ALERT = Alert(id=public_id("a", 7), kind="claim.new", created_at="", claim_id="c_1", mention_id="m_2", summary="New claim")


def due(attempts: int = 0, tries: int = 0) -> Due:
    return Due(id=5, alert_id=7, endpoint="hook", webhook_id="msg_5", attempts=attempts, tries=tries, lease_until=NOW + 30_000)


def counts(endpoint: str) -> dict[tuple[str, str], float]:
    counters = (telemetry.delivered, telemetry.delivery_attempts, telemetry.delivery_errors, telemetry.retried_deliveries)
    found = [one for counter in counters for metric in counter.collect() for one in metric.samples]
    return {
        (one.name.removeprefix("exowatch_"), one.labels.get("outcome", "")): one.value
        for one in found
        if one.name.endswith("_total") and one.labels["endpoint"] == endpoint
    }


def timed() -> tuple[float, float]:
    """How many first deliveries were timed, and their seconds in all."""
    samples = [one for metric in telemetry.delivery_seconds.collect() for one in metric.samples]
    return tuple(next(one.value for one in samples if one.name.endswith(end)) for end in ("_count", "_sum"))  # type: ignore[return-value]


KNOWN = {
    "endpoint": "hook",
    "delivery": public_id("d", 5),
    "alert": public_id("a", 7),
    "mention": "m_2",
    "kind": "claim.new",
    "attempt": 4,
}


@pytest.mark.parametrize(
    ("answer", "result", "told"),
    [
        (Answer(ms=12, status=204), Outcome(state="delivered"), {"log_level": "info", "status": 204, "ms": 12}),
        (
            Answer(ms=9, error="no answer"),
            Outcome(state="dead"),
            {"log_level": "error", "status": None, "ms": 9, "error": "no answer"},
        ),
        (
            Answer(ms=9, status=500, error="answered 500"),
            Outcome(state="pending", next_ms=NOW + 300_149),
            {"log_level": "warning", "status": 500, "ms": 9, "error": "answered 500", "wait_s": 300.1},
        ),
    ],
)
def test_a_line_tells_what_was_sent_where_and_what_came_of_it(
    clock: Clock, answer: Answer, result: Outcome, told: dict[str, Any]
) -> None:
    event = Event(body=b"{}", alert=ALERT, created_ms=NOW)
    with structlog.testing.capture_logs() as logs:
        Logbook("hook", clock)(due(3, 3), event, answer, result)
        Logbook("hook", clock)(due(3, 3), None, answer, result)
    first, second = [{name: value for name, value in line.items() if name != "event"} for line in logs]
    assert first == KNOWN | told
    assert second == KNOWN | told | {"mention": None, "kind": None}, "of an alert that could not be read its id is known"


@pytest.mark.parametrize(
    ("state", "tries", "counted"),
    [
        ("delivered", 0, {("delivery_attempts_total", "delivered"): 1, ("alerts_delivered_total", ""): 1}),
        ("pending", 0, {("delivery_attempts_total", "failed"): 1, ("delivery_errors_total", ""): 1}),
        (
            "dead",
            1,
            {
                ("delivery_attempts_total", "dead"): 1,
                ("delivery_errors_total", ""): 1,
                ("deliveries_retried_total", ""): 1,
            },
        ),
    ],
)
def test_every_attempt_is_counted_by_what_came_of_it(
    clock: Clock, state: Any, tries: int, counted: dict[tuple[str, str], int]
) -> None:
    name = f"counted-{state}"
    before, book = counts(name), Logbook(name, clock)
    for _ in range(3):
        book(due(tries, tries), None, Answer(ms=1), Outcome(state=state))
    after = counts(name)
    assert {key: value - before.get(key, 0) for key, value in after.items()} == {key: 3 * one for key, one in counted.items()}


@pytest.mark.parametrize(
    ("attempts", "tries", "created", "result", "took"),
    [
        (0, 0, NOW - 2_500, "delivered", 2.5),
        (2, 2, NOW - 1, "delivered", 0.001),
        (0, 0, NOW, "delivered", 0.0),
        (0, 0, NOW + 5_000, "delivered", 0.0),  # by another machine's clock
        (2, 0, NOW - 2_500, "delivered", None),  # sent again by hand
        (0, 0, NOW - 2_500, "dead", None),
    ],
)
def test_the_first_delivery_of_an_alert_is_timed(
    clock: Clock, attempts: int, tries: int, created: int, result: Any, took: float | None
) -> None:
    before = timed()
    Logbook("hook", clock)(
        due(attempts, tries), Event(body=b"{}", alert=ALERT, created_ms=created), Answer(ms=1, status=204), Outcome(state=result)
    )
    after = timed()
    assert after[0] - before[0] == (took is not None)
    assert after[1] - before[1] == pytest.approx(took or 0.0, abs=1e-6)
