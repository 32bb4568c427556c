"""Log and metrics of attempts. Names and ids only: an address can hold a secret."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from prometheus_client import Counter

from monitor import telemetry
from monitor.events import Event
from monitor.ids import public_id
from monitor.store.deliveries import Due
from workers.deliver.schedule import Answer, Outcome

log = structlog.get_logger()


class Logbook:
    """Tells of one endpoint's attempts; its series are looked up once."""

    def __init__(self, endpoint: str, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._log = log.bind(endpoint=endpoint)
        self._endpoint = endpoint
        self._series: dict[tuple[Counter, tuple[str, ...]], Counter] = {}

    def __call__(self, due: Due, event: Event | None, answer: Answer, result: Outcome) -> None:
        told = {
            "delivery": public_id("d", due.id),
            "alert": event.alert.id if event else public_id("a", due.alert_id),
            "mention": event and event.alert.mention_id,
            "kind": event and event.alert.kind,
            "attempt": due.attempts + 1,
            "status": answer.status,
            "ms": answer.ms,
        }
        self._count(telemetry.delivery_attempts, "failed" if result.state == "pending" else result.state)
        if due.tries:
            self._count(telemetry.retried_deliveries)
        if result.state == "delivered":
            self._count(telemetry.delivered)
            self._log.info("alert delivered", **told)
            if event and due.attempts == due.tries:  # not one that was sent again by hand, perhaps days later
                telemetry.delivery_seconds.observe(max(0, self._clock() - event.created_ms) / 1000)
            return
        self._count(telemetry.delivery_errors)
        if result.state == "dead":
            self._log.error("delivery given up", error=answer.error, **told)
        else:
            wait_s = round((result.next_ms - self._clock()) / 1000, 1)
            self._log.warning("delivery failed, it is tried again", error=answer.error, wait_s=wait_s, **told)

    def _count(self, metric: Counter, *labels: str) -> None:
        series = self._series.get((metric, labels))
        if series is None:
            series = self._series[metric, labels] = metric.labels(self._endpoint, *labels)
        series.inc()
