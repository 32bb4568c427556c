"""The one module that knows OpenTelemetry: spans go into a bounded queue, and a thread of its own sends them (OTLP, HTTP)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import structlog
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from monitor import __version__
from monitor.tracing import Kind, Mark, Value

log = structlog.get_logger()

QUEUE = 8_192  # spans; beyond it the oldest are dropped, and the work goes on
BATCH = 512
SEND_EVERY_MS = 1_000.0
TIMEOUT_S = 5.0  # for one batch, tries included
CLOSE_WITHIN_S = 2.0
_KINDS = {"inside": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}


class _Ids(RandomIdGenerator):
    """Random ids, but for the span that begins a post's trace: that one's are reckoned from the post."""

    def __init__(self) -> None:
        self._next = threading.local()

    def take(self, mark: Mark | None) -> None:
        """Sets the ids of the next span that this thread begins; None: random ones again."""
        self._next.mark = mark

    def generate_trace_id(self) -> int:
        mark: Mark | None = getattr(self._next, "mark", None)
        return mark.trace if mark else super().generate_trace_id()

    def generate_span_id(self) -> int:
        mark: Mark | None = getattr(self._next, "mark", None)
        return mark.parent if mark else super().generate_span_id()


class _Once(SpanExporter):
    """Sends spans and says once that they do not arrive, and once that they do again."""

    def __init__(self, address: str) -> None:
        self._sender = OTLPSpanExporter(endpoint=f"{address}/v1/traces", timeout=TIMEOUT_S)
        self._away = False
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._sender.export(spans)
        except Exception:  # whatever it is, nothing waits for spans
            result = SpanExportResult.FAILURE
        if result is not SpanExportResult.SUCCESS:
            if not self._away:
                log.warning("traces do not arrive at telemetry.otlp; the work goes on, and they are dropped until they do")
            self._away, self._lost = True, self._lost + len(spans)
        elif self._away:
            log.info("traces arrive again", spans_lost=self._lost)
            self._away, self._lost = False, 0
        return result

    def shutdown(self) -> None:
        self._sender.shutdown()  # type: ignore[no-untyped-call]


class _Open:
    """A span while its block runs; an error leaves its type there and nothing of what it says."""

    def __init__(self, tracer: trace.Tracer, name: str, mark: Mark | None, kind: Kind, attributes: dict[str, Value]) -> None:
        self._tracer, self._name, self._mark, self._kind, self._attributes = tracer, name, mark, kind, attributes

    def __enter__(self) -> _Open:
        parent, links = _place(self._mark)
        self._span = self._tracer.start_span(
            self._name, parent, _KINDS[self._kind], attributes=_named(self._attributes), links=links
        )
        self._token = contexts.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(self, kind: object = None, *_: object) -> None:
        contexts.detach(self._token)
        if isinstance(kind, type):
            self._span.set_status(Status(StatusCode.ERROR, kind.__name__))
        self._span.end()

    def set(self, **attributes: Value) -> None:
        self._span.set_attributes(_named(attributes))


class Exporting:
    """Makes spans and sends them to an OTLP receiver (`http://host:4318`), that share of all traces that `sample` says.

    Whether a trace is among them is reckoned from its id, so all processes decide alike.
    """

    def __init__(self, address: str, sample: float, role: str) -> None:
        # Each batch that does not arrive would be several lines of theirs; `_Once` says it.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._ids = _Ids()
        resource = Resource.create({"service.name": "exowatch", "service.version": __version__, "exowatch.role": role})
        self._provider = TracerProvider(
            TraceIdRatioBased(sample), resource, shutdown_on_exit=False, id_generator=self._ids
        )  # fmt: skip
        sending = BatchSpanProcessor(
            _Once(address), max_queue_size=QUEUE, schedule_delay_millis=SEND_EVERY_MS, max_export_batch_size=BATCH
        )
        self._provider.add_span_processor(sending)
        self._tracer = self._provider.get_tracer("exowatch", __version__)

    def span(self, name: str, mark: Mark | None, kind: Kind, attributes: dict[str, Value]) -> _Open:
        """See `tracing.span`."""
        return _Open(self._tracer, name, mark, kind, attributes)

    def step(self, name: str, mark: Mark, began_ns: int, attributes: dict[str, Value], *, first: bool) -> None:
        """See `tracing.steps`."""
        parent, links = _place(mark)
        if first:
            parent = contexts.Context()
            self._ids.take(mark)
        try:
            made = self._tracer.start_span(name, parent, attributes=_named(attributes), links=links, start_time=began_ns)
        finally:
            self._ids.take(None)
        made.end()

    def close(self) -> None:
        """Sends what waits, within CLOSE_WITHIN_S; a receiver that does not take it holds up no end."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_WITHIN_S)


def _place(mark: Mark | None) -> tuple[contexts.Context | None, list[Link]]:
    """Where a span belongs: inside what is open; or in a post's trace, with a link to what is open, which is its batch."""
    if mark is None:
        return None, []
    now = trace.get_current_span().get_span_context()
    there = SpanContext(mark.trace, mark.parent, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    inside_another = now.is_valid and now.trace_id != mark.trace
    return trace.set_span_in_context(NonRecordingSpan(there), contexts.Context()), [Link(now)] if inside_another else []


def _named(attributes: dict[str, Value]) -> dict[str, Value]:
    """As OpenTelemetry names attributes: its own words with their dots, ours under our name."""
    return {_THEIRS.get(name, f"exowatch.{name}"): value for name, value in attributes.items()}


_THEIRS = {"method": "http.request.method", "route": "http.route", "status": "http.response.status_code"}
