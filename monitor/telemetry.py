"""What operators see: logs and metrics. Every metric of the program is named here; docs/metrics.md explains each."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

registry = CollectorRegistry()

heard = Counter("exowatch_posts_heard", "Posts that a source carried, on topic or not", ["source"], registry=registry)
matched = Counter("exowatch_posts_matched", "Posts on topic that were put into the stream", ["source"], registry=registry)
duplicates = Counter("exowatch_posts_duplicate", "Posts on topic that were heard before", ["source"], registry=registry)
source_errors = Counter("exowatch_source_errors", "Polls of a source that failed", ["source"], registry=registry)
classified = Counter("exowatch_mentions_classified", "Mentions judged", registry=registry)
classify_seconds = Histogram(
    "exowatch_classify_seconds",
    "Time to judge one mention",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30),
    registry=registry,
)
fallbacks = Counter(
    "exowatch_classifier_fallbacks",
    "Mentions that the local classifier judged in place of the model",
    ["reason"],
    registry=registry,
)
stored = Counter("exowatch_mentions_stored", "Mentions written to the database", ["change"], registry=registry)
alerted = Counter("exowatch_alerts_raised", "Alerts raised", registry=registry)
failed_entries = Counter(
    "exowatch_entries_failed", "Stream entries whose processing failed (they are tried again)", registry=registry
)
retried_entries = Counter(
    "exowatch_entries_retried", "Stream entries that came again after a failure or a worker's death", registry=registry
)
delivered = Counter("exowatch_alerts_delivered", "Alerts that an endpoint has taken", ["endpoint"], registry=registry)
delivery_attempts = Counter(
    "exowatch_delivery_attempts", "Attempts to deliver an alert", ["endpoint", "outcome"], registry=registry
)
delivery_errors = Counter("exowatch_delivery_errors", "Attempts to deliver that failed", ["endpoint"], registry=registry)
retried_deliveries = Counter(
    "exowatch_deliveries_retried", "Attempts to deliver what had failed before", ["endpoint"], registry=registry
)
delivery_seconds = Histogram(
    "exowatch_delivery_seconds",
    "Time from an alert's commit to its first delivery",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300),
    registry=registry,
)
stream_length = Gauge("exowatch_stream_entries", "Entries in the stream", registry=registry)
stream_pending = Gauge("exowatch_stream_pending", "Entries read and not yet acknowledged", registry=registry)
stream_lag = Gauge("exowatch_stream_lag", "Entries not yet read", registry=registry)
stream_oldest = Gauge("exowatch_stream_oldest_seconds", "Age of the oldest entry not yet acknowledged", registry=registry)
stream_dead = Gauge("exowatch_stream_dead", "Entries given up on", registry=registry)
loop_stalls = Counter("exowatch_loop_stalls", "Times that an event loop did not turn for ten seconds", registry=registry)
stalled_jobs = Counter(
    "exowatch_jobs_stalled", "Times that a job made no progress although it should have", ["job"], registry=registry
)
processes = Gauge("exowatch_processes", "Processes whose series stand here, the one that answers included", registry=registry)


# Without the values of variables: among them are tokens, addresses and the words of posts.
_tracebacks = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a record of aiohttp's is about this program, and not about what some client sent in place of HTTP."""
    error = record.exc_info[1] if record.exc_info else None
    return not type(error).__module__.startswith("aiohttp.http_exceptions")


class _Lossy:
    """A stream that drops what cannot be written: a log on a full disk, or into a pipe that nobody reads, must not end work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def set_up_logging(level: int = logging.INFO, stream: TextIO = sys.stderr) -> None:
    """Logs from `level` on to `stream`: for a person on a terminal, one JSON object a line otherwise."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if stream.isatty():
        plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        rendering: list[structlog.typing.Processor] = [plain]
    else:
        rendering = [_tracebacks, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Lossy(stream))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=stream, level=logging.WARNING, format="%(name)s: %(message)s", force=True)
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
