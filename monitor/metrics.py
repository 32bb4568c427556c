"""The metrics of every process: those that serve no HTTP share theirs through the stream, and those that do show all.

What is counted carries the role and the process that counted it, so that `sum without (process)` gives the total. The gauges are
figures of the whole installation and carry neither.
"""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
import socket
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

import msgspec
import structlog
from prometheus_client import Metric, generate_latest

from monitor import telemetry
from monitor.pause import pause
from monitor.stream import Stream, StreamError, StreamStats

log = structlog.get_logger()

SHARE_EVERY_S = 5.0
ANSWER_WITHIN_S = 3.0  # Prometheus waits ten seconds; a server that stalls must not cost the other figures
MAX_LABEL = 100  # characters; names of sources and endpoints are shorter
MAX_SERIES = 5_000  # shared by one process: what a thousand sources make
_NAN = float("nan")

_T = TypeVar("_T")
_Name = Annotated[str, msgspec.Meta(max_length=MAX_LABEL)]
_LabelName = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,32}$")]


class Series(msgspec.Struct, frozen=True, array_like=True):
    """One series as Prometheus shows it: its name with `_total`, `_bucket`, `_sum` or `_count`, its labels, its value."""

    name: _Name
    labels: dict[_LabelName, _Name]
    value: Annotated[float, msgspec.Meta(ge=0)]


class Snapshot(msgspec.Struct, frozen=True):
    """What one process has counted since it began."""

    role: _Name
    process: _Name
    series: list[Series]


@functools.cache
def process_name() -> str:
    """What this process is called among all that count. The mark keeps containers apart that share a host's name and are each
    process 1."""
    return f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(2)}"


def snapshot(role: str) -> Snapshot:
    """What this process has counted."""
    found = [
        Series(sample.name, {name: plain(value) for name, value in sample.labels.items()}, sample.value)
        for metric in telemetry.registry.collect()
        for sample in metric.samples
        if sample.name in _names(metric)
    ]
    return Snapshot(role=role, process=plain(process_name()), series=found)


def render(snapshots: Iterable[Snapshot]) -> bytes:
    """The page: each family of metrics once, with the series of all these processes. What is no metric of ours is left out."""
    values: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for one in snapshots:
        for series in one.series:
            labels = tuple(sorted((series.labels | {"role": one.role, "process": one.process}).items()))
            here = values.setdefault(series.name, {})
            here[labels] = here.get(labels, 0.0) + series.value  # names that were cut to the same one count together
    families = []
    for metric in telemetry.registry.collect():
        if metric.type != "gauge":
            names = _names(metric)
            metric.samples = []
            for name in names:
                for labels, value in values.get(name, {}).items():
                    metric.add_sample(name, dict(labels), value)
        families.append(metric)
    return generate_latest(_Families(families))


async def page(stream: Stream, role: str) -> bytes:
    """All metrics as Prometheus reads them. Where the stream is away its gauges are NaN and other processes' series missing."""
    stats, shared = await asyncio.gather(_answer(stream.stats()), _answer(stream.shared_metrics()))
    others = None if shared is None else list(_read(shared))
    _set_gauges(stats, others)
    return render([snapshot(role), *(others or ())])


@asynccontextmanager
async def shared(stream: Stream, role: str) -> AsyncIterator[None]:
    """Shares what this process counts while the block runs, and once more when it has ended. Nothing waits for it."""
    over = asyncio.Event()
    sharing = asyncio.create_task(_keep_sharing(stream, role, over))
    try:
        yield
    finally:
        over.set()
        await sharing


async def _keep_sharing(stream: Stream, role: str, over: asyncio.Event) -> None:
    away = False
    while True:
        last = over.is_set()
        try:
            await stream.share_metrics(process_name(), _encoded(snapshot(role)))
            away = False
        except Exception as error:  # whatever it is, the work must go on without figures
            if not away:
                log.warning("metrics are not shared while Redis is away", error=str(error))
            away = True
        if last:
            return
        await pause(over, SHARE_EVERY_S)


def _encoded(found: Snapshot) -> bytes:
    if len(found.series) > MAX_SERIES:
        log.warning("only a part of the metrics is shared", series=len(found.series), shared=MAX_SERIES)
        found = msgspec.structs.replace(found, series=found.series[:MAX_SERIES])
    return msgspec.json.encode(found)


def _read(shared: Sequence[bytes]) -> Iterable[Snapshot]:
    for data in shared:
        try:
            yield msgspec.json.decode(data, type=Snapshot)
        except (ValueError, RecursionError) as error:
            log.warning("metrics of a process cannot be read", error=str(error)[:200])


async def _answer(work: Coroutine[Any, Any, _T]) -> _T | None:
    """What the stream answers; None where it cannot, or takes too long."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=ANSWER_WITHIN_S)
    if not done:
        task.add_done_callback(lambda late: late.cancelled() or late.exception())
        task.cancel()  # and not waited for: redis-py can swallow it while it connects
        log.warning("the stream's figures are missing", error=f"no answer within {ANSWER_WITHIN_S:g} s")
        return None
    try:
        return task.result()
    except StreamError as error:
        log.warning("the stream's figures are missing", error=str(error))
        return None


def _set_gauges(stats: StreamStats | None, others: Sequence[Snapshot] | None) -> None:
    """What is not known becomes NaN, rather than stay what it was."""
    telemetry.stream_length.set(_NAN if stats is None else stats.length)
    telemetry.stream_pending.set(_NAN if stats is None else stats.pending)
    telemetry.stream_lag.set(_NAN if stats is None else stats.lag)
    telemetry.stream_oldest.set(_NAN if stats is None else stats.oldest_age_s or 0.0)
    telemetry.stream_dead.set(_NAN if stats is None else stats.dead)
    telemetry.processes.set(_NAN if others is None else 1 + len(others))


def _names(metric: Metric) -> tuple[str, ...]:
    """The names that the series of a counter or a histogram have; a gauge is nobody's own and has none."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(metric.type, ())
    return tuple(metric.name + ending for ending in endings)


def plain(label: str) -> str:
    """A name as a label: bounded, and without what no text holds; quotes and backslashes are escaped on the page."""
    return "".join(char if char.isprintable() else "\ufffd" for char in label[:MAX_LABEL])


class _Families:
    """Metrics that are ready to be shown, in place of a registry."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
