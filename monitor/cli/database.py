"""The database for commands that read or write it themselves; no daemon is needed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
from sqlalchemy.exc import DBAPIError

from monitor.settings import Settings
from monitor.store import Database
from monitor.store.database import reason_of

# Of a database without our tables, or with those of another version; `role … does not exist` is something else.
_OTHER_SCHEMA = re.compile(r'no such (?:table|column)|(?:relation|column) "?[^"]*"? does not exist')


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings, for as long as the block; no daemon is needed. Raises ClickException."""
    database = Database(settings.sqlalchemy_url)
    file = database.url.database if database.dialect == "sqlite" else None
    if file and not Path(file).exists():  # noqa: ASYNC240 - nothing else runs meanwhile
        raise click.ClickException(f"there is no database at {file} yet; `exowatch run` makes it")
    try:
        yield database
    except DBAPIError as error:
        reason = reason_of(error)
        if _OTHER_SCHEMA.search(reason):
            reason = f"it is not of this version ({reason}); start `exowatch run` once, which brings it up to date"
        raise click.ClickException(f"the database {database.where} cannot be read: {reason}") from error
    finally:
        await database.close()
