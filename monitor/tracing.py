"""Spans of the work, for those who run a collector of OpenTelemetry. Off, and nothing imported, unless `telemetry.otlp` is set.

Each post has one trace, whose id every process reckons from the post's platform and id, so that no stored format carries it: the
collector that published the post, the worker that judged it and the sender that delivered its alert agree without a word. What
stands in a span is named by the program: stages, names of sources and endpoints, counts, public ids. Never a post's words, its
author, its platform's id or address, a token or a query.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple, Protocol

from monitor.extras import not_installed
from monitor.settings import Telemetry
from monitor.words import Post

Value = str | int | float | bool
Kind = Literal["inside", "server", "client"]


class TracingError(Exception):
    """Traces cannot be made; the text says what to do."""


class Mark(NamedTuple):
    """Where the spans of one post belong: its trace, and the span of its publishing, which is the parent of the others."""

    trace: int
    parent: int


class Span(Protocol):
    """A span that is open while its block runs."""

    def set(self, **attributes: Value) -> None:
        """Says something of it; what has no name of the program's own does not belong here."""
        ...

    def __enter__(self) -> Span: ...

    def __exit__(self, *_: object) -> None: ...


class Backend(Protocol):
    """What makes spans and sends them away (`monitor.tracing_otel`)."""

    def span(self, name: str, mark: Mark | None, kind: Kind, attributes: dict[str, Value]) -> Span: ...

    def step(self, name: str, mark: Mark, began_ns: int, attributes: dict[str, Value], *, first: bool) -> None: ...

    def close(self) -> None: ...


class _NoSpan:
    def set(self, **attributes: Value) -> None:
        pass

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        pass


_NO_SPAN = _NoSpan()
_backend: Backend | None = None


def on() -> bool:
    """Whether spans are made."""
    return _backend is not None


def mark(post: Post) -> Mark | None:
    """Where the spans of this text of this post belong; None where none are made."""
    if _backend is None:
        return None
    name = f"{post.platform}\0{post.id}".encode("utf-8", "surrogatepass")
    # No id may be 0. The trace is one for all texts of a post; each of them was published by itself.
    trace = int.from_bytes(hashlib.blake2b(name, digest_size=16, person=b"exowatch-trace").digest(), "big") or 1
    parent = int.from_bytes(hashlib.blake2b(post.version.encode(), digest_size=8, person=b"exowatch-span").digest(), "big") or 1
    return Mark(trace, parent)


def span(name: str, of: Mark | None = None, kind: Kind = "inside", **attributes: Value) -> Span:
    """A span for a block, inside the one that is open; with `of` in that post's trace, and linked to the one that is open."""
    return _NO_SPAN if _backend is None else _backend.span(name, of, kind, attributes)


def now_ns() -> int:
    """When a step begins, for `steps`."""
    return 0 if _backend is None else time.time_ns()


def steps(name: str, marks: Sequence[Mark | None], began_ns: int, *, first: bool = False, **attributes: Value) -> None:
    """A span for each of the posts that went through a step together, from `began_ns` until now; `first`: the one that begins
    its trace."""
    if _backend is None:
        return
    for one in marks:
        if one is not None:
            _backend.step(name, one, began_ns, attributes, first=first)


@contextmanager
def exporting(settings: Telemetry, role: str) -> Iterator[None]:
    """Makes spans while the block runs, where the settings want them. Raises TracingError."""
    global _backend  # noqa: PLW0603 - one for the process, as the metrics are
    if not settings.otlp:
        yield
        return
    try:
        from monitor.tracing_otel import Exporting  # noqa: PLC0415 - an extra, and nobody pays for it who does not want it
    except ImportError:
        raise TracingError(f'{not_installed("telemetry.otlp needs OpenTelemetry")}, or set telemetry.otlp = ""') from None
    _backend = Exporting(settings.otlp, settings.sample, role)
    try:
        yield
    finally:
        ended, _backend = _backend, None
        ended.close()
