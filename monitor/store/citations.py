"""Citations in a column: JSON outside, a tuple of `Evidence` inside.

The same few lists stand in many rows (each claim's, and so each occurrence's), and to read them anew for each row was the largest
part of building an event. They are frozen, so one reading serves all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Dialect
from sqlalchemy.types import JSON, TypeDecorator

from monitor.words import Evidence

_KEPT = 1_024  # lists; one is some kilobytes


@lru_cache(maxsize=_KEPT)
def _read(written: str) -> tuple[Evidence, ...]:
    return msgspec.json.decode(written, type=tuple[Evidence, ...])


class Citations(TypeDecorator[tuple[Evidence, ...]]):
    """The citations that a verdict was given on."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Sequence[Evidence] | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return msgspec.to_builtins(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:  # noqa: ARG002
        return _citations  # in place of JSON's own


def _citations(found: Any) -> tuple[Evidence, ...] | None:
    """SQLite hands over what is written, and PostgreSQL's driver has read it already."""
    if isinstance(found, str):
        return _read(found)
    return None if found is None else msgspec.convert(found, tuple[Evidence, ...])
