"""Copies a whole record into an empty database, of either kind: all of it or nothing.

One transaction on each side: what is read is one picture, and a copy that breaks off leaves empty tables. Values go over as they
are kept, JSON as its text, so that nothing is read in another way than it was written. The text index is another thing on each
database and is made anew from the texts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Insert, Table, Text, bindparam, cast, func, insert, literal_column, select, table
from sqlalchemy import text as sql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import JSON

from monitor.store import recount, search, source_tables  # noqa: F401 - its tables are in `metadata` too
from monitor.store.citations import Citations
from monitor.store.database import Database, StoreError, StoreUnavailable, reason_of
from monitor.store.tables import mention_text, metadata

Progress = Callable[[str, int], None]  # the table, and how many rows of it went over just now

TABLES: tuple[Table, ...] = tuple(metadata.sorted_tables)  # those that others refer to come first
INDEX = "text index"
_PAGE = 1_000  # rows
_WRITTEN = (JSON, Citations)
_LEAD = "as_text_"  # of the parameters that hold JSON: SQLAlchemy keeps the columns' names for itself


async def is_empty(database: Database) -> bool:
    """Whether nothing is on record there, or there are no tables of this program. Raises StoreUnavailable."""
    try:
        async with database.read() as connection:
            return await _filled(connection) is None
    except StoreUnavailable:
        raise
    except DBAPIError:
        return True


async def check_empty(database: Database) -> None:
    """Raises StoreError where the database, which has our tables, holds anything in them."""
    async with database.read() as connection:
        await _check_empty(connection, database.where)


async def copy(source: Database, target: Database, progress: Progress) -> dict[str, int]:
    """Copies everything on record, and says how many rows each table has now. Both have the tables of this program.

    Raises StoreError where the target is not empty or does not take it, and StoreUnavailable; nothing is changed then.
    """
    try:
        async with source.read() as old, target.write() as new:
            if source.dialect == "postgresql":  # else each statement would see what others wrote meanwhile
                await old.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            await _check_empty(new, target.where)
            for one in TABLES:
                await _copy_table(old, new, one, progress)
            await _index(new, progress)
            there = await _compared(old, new, target.where)
            if target.dialect == "postgresql":
                await new.exec_driver_sql("ANALYZE")
    except StoreUnavailable:
        raise
    except DBAPIError as error:
        raise StoreError(f"the record could not be copied to {target.where}, which is as it was: {reason_of(error)}") from error
    return there


async def _copy_table(old: AsyncConnection, new: AsyncConnection, one: Table, progress: Progress) -> None:
    statement = _inserting(one, new.dialect.name)
    columns = [(cast(c, Text) if isinstance(c.type, _WRITTEN) else c).label(_name_of(c)) for c in one.columns]
    query = select(*columns).order_by(*one.primary_key.columns)
    async with old.stream(query, execution_options={"yield_per": _PAGE}) as rows:
        async for page in rows.mappings().partitions(_PAGE):
            await new.execute(statement, [dict(row) for row in page])
            progress(one.name, len(page))


def _inserting(one: Table, dialect: str) -> Insert:
    """The statement that takes rows whose JSON is text."""
    values: dict[str, ColumnElement[Any]] = {}
    for column in one.columns:
        if isinstance(column.type, _WRITTEN):
            given = bindparam(_name_of(column), type_=Text)
            values[column.name] = given if dialect == "sqlite" else cast(given, JSON)
    return insert(one).values(values) if values else insert(one)


def _name_of(column: Any) -> str:
    return f"{_LEAD}{column.name}" if isinstance(column.type, _WRITTEN) else str(column.name)


async def _index(new: AsyncConnection, progress: Progress) -> None:
    """Makes the text index anew of the texts that are there."""
    dialect, after = new.dialect.name, -1
    statement = sql(search.index_statement(dialect))
    walk = select(mention_text).where(mention_text.c.mention_id > bindparam("after")).order_by(mention_text.c.mention_id)
    while page := list(await new.execute(walk.limit(_PAGE), {"after": after})):
        tags = await recount.tags(new, [number for number, _ in page])
        rows = [search.index_row(dialect, number, text, tags.get(number, ())) for number, text in page]
        await new.execute(statement, rows)
        after = page[-1][0]
        progress(INDEX, len(page))


async def _compared(old: AsyncConnection, new: AsyncConnection, where: str) -> dict[str, int]:
    """The sizes of the tables, which are the same on both sides. Raises StoreError."""
    before, after = await _sizes(old), await _sizes(new)
    indexed = await new.scalar(select(func.count()).select_from(table("mention_search")))
    expected, found = {**before, INDEX: before["mention_text"]}, {**after, INDEX: indexed}
    for name, number in expected.items():
        if found[name] != number:
            raise StoreError(f"of {number} rows of {name} {found[name]} came to {where}, which is as it was: run it again")
    return after


async def _sizes(connection: AsyncConnection) -> dict[str, int]:
    return {one.name: int(await connection.scalar(select(func.count()).select_from(one)) or 0) for one in TABLES}


async def _check_empty(connection: AsyncConnection, where: str) -> None:
    filled = await _filled(connection)
    if filled is not None:
        raise StoreError(f"the database {where} is not empty (there are rows in {filled}); name one without any record")


async def _filled(connection: AsyncConnection) -> str | None:
    """The first table that holds anything."""
    for one in TABLES:
        if await connection.scalar(select(literal_column("1")).select_from(one).limit(1)):
            return one.name
    return None
