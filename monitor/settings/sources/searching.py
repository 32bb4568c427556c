"""What the settings of searched sources share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from monitor.settings.values import parse_duration


def distinct(queries: list[str]) -> list[str]:
    """The queries. Raises ValueError where one stands there twice."""
    folded = [query.casefold() for query in queries]
    if twice := next((query for query, one in zip(queries, folded, strict=True) if folded.count(one) > 1), None):
        raise ValueError(f"{twice!r} stands there twice")
    return queries


def _backfill(seconds: float) -> float:
    if seconds > 30 * 86_400:
        raise ValueError('backfill is at most "30d"')
    return seconds


# What is searched for, each on its own: no blanks at the ends, no line breaks.
Query = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f](?:[^\x00-\x1f\x7f]{0,198}[^\s\x00-\x1f])?$")]
Queries = Annotated[list[Query], Field(min_length=1, max_length=20), AfterValidator(distinct)]
# How far the first poll looks back.
Backfill = Annotated[float, BeforeValidator(parse_duration), AfterValidator(_backfill)]
