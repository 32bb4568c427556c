"""`migrate`: the tables brought up to date, and a stopped installation moved to servers of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.cli.output import counted, plain
from monitor.moving import Moved, move
from monitor.pseudonyms import key_file
from monitor.settings import Settings
from monitor.settings.model import Redis, Store
from monitor.store import Database


@cli.command(epilog="Example:  exowatch migrate --to-store postgresql://owner@db/exowatch --to-redis redis://redis:6379/0")
@click.option("--to-store", metavar="URL", help="Copy the record to this empty database; file:PATH and env:NAME will do.")
@click.option("--to-redis", metavar="URL", help="Copy the stream to this unused Redis: cursors, what waits, what is dead.")
@click.pass_context
def migrate(context: click.Context, to_store: str | None, to_redis: str | None) -> None:
    """Bring the tables up to date; or move a stopped installation to another database and Redis.

    Without options it makes or alters the tables of the configured database, as each start does by itself: for a user of the
    database that may, where the daemon's own may not. With them it copies everything on record, all or nothing, and what the
    stream holds. What is copied from is left as it is. Nothing may run on the data folder meanwhile.
    """
    log_as_asked(context, logging.WARNING)
    settings = settings_of(context)
    if to_store is None and to_redis is None:
        print(asyncio.run(_brought_up(settings)))
        return
    file = Database(settings.sqlalchemy_url).url.database
    if to_store is not None and _is_sqlite(settings) and not (file and Path(file).exists()):
        raise click.ClickException(f"there is no database at {file}, so there is nothing to move; see --config and data_dir")
    store = None if to_store is None else _store_url(settings, to_store)
    redis = None if to_redis is None else _redis_url(to_redis)
    columns = (SpinnerColumn(), TextColumn("{task.fields[rows]:,.0f} {task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("rows", total=None, rows=0)
        rows = 0

        def tell(what: str, more: int) -> None:
            nonlocal rows
            rows += more
            progress.update(task, rows=rows, description=f"rows, now {what}")

        moved = asyncio.run(move(settings, tell, store=store, redis=redis))
    for line in _told(settings, moved, Database(store).where if store else ""):
        print(line)


async def _brought_up(settings: Settings) -> str:
    database = Database(settings.sqlalchemy_url)
    try:
        await database.migrate()
        return f"the tables of {database.where} are up to date"
    finally:
        await database.close()


def _is_sqlite(settings: Settings) -> bool:
    return not settings.store.url or settings.store.url.startswith("sqlite:")


def _store_url(settings: Settings, given: str) -> str:
    """The address as SQLAlchemy has it. Raises UsageError."""
    if given.startswith("sqlite:///"):
        given = f"sqlite:///{Path(given.removeprefix('sqlite:///')).absolute()}"
    try:
        store = Store(url=given)
    except ValidationError as error:
        raise click.UsageError(f"--to-store: {_said(error)}") from None
    if not store.url:
        raise click.UsageError("--to-store: write postgresql://user@host/name or sqlite:///path")
    return settings.model_copy(update={"store": store}).sqlalchemy_url


def _redis_url(given: str) -> str:
    """Raises UsageError."""
    try:
        url = Redis(url=given).url
    except ValidationError as error:
        raise click.UsageError(f"--to-redis: {_said(error)}") from None
    if not url:
        raise click.UsageError("--to-redis: write redis://host:port/0, rediss://… or unix:///path")
    return url


def _said(error: ValidationError) -> str:
    return error.errors()[0]["msg"].removeprefix("Value error, ")


def _told(settings: Settings, moved: Moved, where: str) -> Iterator[str]:
    """What is where now, and what to set so that it goes on there."""
    if moved.rows is not None:
        parts = ", ".join(counted(moved.rows[name], name) for name in ("mention", "claim", "alert"))
        more = counted(sum(moved.rows.values()), "row")
        yield f"the record is at {plain(where)}: {parts}; {more} in all, in each table as many as here"
    if moved.stream is not None:
        parts = ", ".join(f"{number:,} {what}" for what, number in moved.stream.items())
        yield f"the stream is at the new Redis: {parts}"
    yield "What is here was left as it is; start nothing on it any more. Where exowatch goes on, set"
    if moved.rows is not None:
        yield "  store.url    to the new database"
    if moved.stream is not None:
        yield "  redis.url    to the new Redis"
    keys, logins = key_file(settings), settings.data_dir / "login.key"
    if not settings.privacy.key.get_secret_value() and keys.exists():
        yield f'  privacy.key  to "file:PATH" of a copy of {keys}: by another key the same people count as others'
    if logins.exists():
        yield f"and copy {logins} to data_dir of each machine that serves, so that logins stay valid"
