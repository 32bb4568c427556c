"""Keeps every state of the register that judged something, and when it did, so that an edit can be looked at and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Select, insert, select, update
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.tables import register_use, register_version
from monitor.store.upsert import upsert
from monitor.times import now_ms

_LOCK = 0x726567  # any number that nothing else locks by


class RegisterVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A state of the register: when it came into force (ms), this time or the last, and its files' texts by name.

    `held_ms`: when all claims on record had been held against it; None while that goes on, and where another one came first.
    """

    version: str
    at_ms: int
    held_ms: int | None
    files: dict[str, str]


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """The version that came into force last, and whether all claims on record have been held against it since."""

    version: str
    held: bool


class UnknownVersionError(Exception):
    """No kept version is meant by this; the text says what to do."""


async def keep(connection: AsyncConnection, version: str, files: Mapping[str, str]) -> None:
    """Keeps the register that judges from now on. One that comes back into force is the newest again."""
    if connection.dialect.name == "postgresql":  # processes that take up an edit together note it once
        await connection.execute(sql("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = (await connection.execute(_newest())).one_or_none()
    if last is not None and last.version == version:
        same = register_version.c.version == version
        kept = (await connection.execute(select(register_version.c.files).where(same))).scalar_one()
        if kept != files:  # another comment, or an entry moved to another file: it judges alike
            await connection.execute(update(register_version).where(same).values(files=dict(files)))
        return
    at_ms = now_ms() if last is None else max(now_ms(), last.at_ms + 1)
    values = {"at_ms": at_ms, "files": dict(files)}
    statement = upsert(connection, register_version).values(version=version, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["version"], set_=values))
    await connection.execute(insert(register_use).values(at_ms=at_ms, version=version))


async def note_held(connection: AsyncConnection, version: str) -> None:
    """Notes that all claims on record have been held against this version, if it is still the one in force."""
    last = (await connection.execute(_newest())).one_or_none()
    if last is not None and last.version == version and last.held_ms is None:
        await connection.execute(update(register_use).where(register_use.c.at_ms == last.at_ms).values(held_ms=now_ms()))


async def in_force(connection: AsyncConnection) -> InForce | None:
    """What judges now; None where no version is kept."""
    last = (await connection.execute(_newest())).one_or_none()
    return None if last is None else InForce(version=last.version, held=last.held_ms is not None)


async def newest(connection: AsyncConnection) -> str | None:
    """The version that came into force last; None where none is kept."""
    last = await in_force(connection)
    return None if last is None else last.version


async def versions(connection: AsyncConnection, limit: int) -> list[RegisterVersion]:
    """The versions as they came into force, the newest first: one that came back stands there each time."""
    query = (
        select(register_use.c.version, register_use.c.at_ms, register_use.c.held_ms, register_version.c.files)
        .join(register_version, register_version.c.version == register_use.c.version)
        .order_by(register_use.c.at_ms.desc())
        .limit(limit)
    )
    return [_version(row) for row in await connection.execute(query)]


async def find(connection: AsyncConnection, name: str) -> RegisterVersion:
    """The kept version of this name, or the only one that begins so. Raises UnknownVersionError."""
    known = list((await connection.execute(select(register_version.c.version))).scalars())
    meant = [name] if name in known else [version for version in known if name and version.startswith(name)]
    if len(meant) != 1:
        what = "more than one version of the register begins with" if meant else "no version of the register is kept as"
        raise UnknownVersionError(f"{what} {name[:64]}; `exowatch evidence history` lists them")
    of_version = register_use.c.version == register_version.c.version
    latest = select(register_use.c.held_ms).where(of_version).order_by(register_use.c.at_ms.desc()).limit(1).scalar_subquery()
    kept = select(register_version, latest.label("held_ms")).where(register_version.c.version == meant[0])
    return _version((await connection.execute(kept)).one())


def _newest() -> Select[tuple[int, str, int | None]]:
    return (
        select(register_use.c.at_ms, register_use.c.version, register_use.c.held_ms)
        .order_by(register_use.c.at_ms.desc())
        .limit(1)
    )


def _version(row: Any) -> RegisterVersion:
    return RegisterVersion(version=row.version, at_ms=row.at_ms, held_ms=row.held_ms, files=row.files)
