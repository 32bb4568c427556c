"""Keeps every state of the register that judged something, so that an edit of it can be looked at and taken back."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.tables import register_version
from monitor.store.upsert import upsert
from monitor.words import now_ms


class RegisterVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A state of the register: when it last came into force (ms), and its files' texts by name."""

    version: str
    at_ms: int
    files: dict[str, str]


class UnknownVersionError(Exception):
    """No kept version is meant by this; the text says what to do."""


async def keep(connection: AsyncConnection, version: str, files: Mapping[str, str]) -> None:
    """Keeps the register that judges from now on. One that comes back into force is the newest again."""
    now = now_ms()
    row = await _newest(connection)
    if row is not None and row.version == version:
        if row.files != files:  # another comment, or an entry moved to another file: it judges alike
            same = register_version.c.version == version
            await connection.execute(update(register_version).where(same).values(files=dict(files)))
        return
    at_ms = now if row is None else max(now, row.at_ms + 1)
    values = {"at_ms": at_ms, "files": dict(files)}
    statement = upsert(connection, register_version).values(version=version, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["version"], set_=values))


async def newest(connection: AsyncConnection) -> str | None:
    """The version that came into force last; None where none is kept."""
    row = await _newest(connection)
    return None if row is None else str(row.version)


async def versions(connection: AsyncConnection, limit: int) -> list[RegisterVersion]:
    """The kept versions, the newest first."""
    query = select(register_version).order_by(register_version.c.at_ms.desc(), register_version.c.version).limit(limit)
    return [_version(row) for row in await connection.execute(query)]


async def find(connection: AsyncConnection, name: str) -> RegisterVersion:
    """The kept version of this name, or the only one that begins so. Raises UnknownVersionError."""
    known = list((await connection.execute(select(register_version.c.version))).scalars())
    meant = [name] if name in known else [version for version in known if name and version.startswith(name)]
    if len(meant) != 1:
        what = "more than one version of the register begins with" if meant else "no version of the register is kept as"
        raise UnknownVersionError(f"{what} {name[:64]}; `exowatch evidence history` lists them")
    row = (await connection.execute(select(register_version).where(register_version.c.version == meant[0]))).one()
    return _version(row)


async def _newest(connection: AsyncConnection) -> Row[tuple[str, int, dict[str, str]]] | None:
    query = select(register_version).order_by(register_version.c.at_ms.desc(), register_version.c.version).limit(1)
    return (await connection.execute(query)).one_or_none()


def _version(row: Row[tuple[str, int, dict[str, str]]]) -> RegisterVersion:
    return RegisterVersion(version=row.version, at_ms=row.at_ms, files=row.files)
