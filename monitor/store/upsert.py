"""Inserts that may meet a row that is there already, in the dialect of either database."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


def upsert(connection: AsyncConnection, table: Any) -> Any:
    """An INSERT of this database's dialect, which knows ON CONFLICT."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


async def insert_new(
    connection: AsyncConnection, table: Any, rows: list[dict[str, Any]], conflict: list[str] | None = None
) -> list[Any]:
    """Inserts the rows that are not there yet; the first column of each that was inserted."""
    if not rows:
        return []
    statement = upsert(connection, table).on_conflict_do_nothing(index_elements=conflict)
    result = await connection.execute(statement.returning(next(iter(table.c))), rows)
    return list(result.scalars())
