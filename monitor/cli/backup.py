"""`backup` and `restore`: an installation in one file, and back again."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import click
from rich.console import Console

from monitor.backup import Label, back_up
from monitor.backup import restore as put_back
from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.cli.output import short_time

_file = click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))


@cli.command(epilog="Example:  exowatch backup exowatch-2026-11-22.tar.gz")
@_file
@click.option("--without-keys", is_flag=True, help="Leave author.key and login.key out: you keep copies of them elsewhere.")
@click.pass_context
def backup(context: click.Context, file: Path, without_keys: bool) -> None:
    """Write record, stream and keys to FILE, whether or not the daemon runs.

    By the keys whoever has FILE can find out whether a name is among the authors: without them that needs two places.

    A record in PostgreSQL is not in it: pg_dump it afterwards. Nor are the config file and a topic pack of your own.
    """
    log_as_asked(context, logging.WARNING)
    with Console(stderr=True).status("backing up"):
        label = asyncio.run(back_up(settings_of(context), file, keys=not without_keys))
    print(f"{file}: {_found(label)}; {file.stat().st_size / 1e6:,.1f} MB")
    if not label.record:
        print("The record is in PostgreSQL and not in this file: run pg_dump now, after it.")


@cli.command(epilog="Example:  exowatch restore exowatch-2026-11-22.tar.gz")
@_file
@click.pass_context
def restore(context: click.Context, file: Path) -> None:
    """Put a backup into an empty data folder. Nothing may run on it.

    What came after the backup is fetched again by the collectors as far as their sources reach back. What was forgotten or
    reviewed since is to be forgotten and reviewed again.
    """
    log_as_asked(context, logging.WARNING)
    settings = settings_of(context)
    with Console(stderr=True).status("restoring"):
        label = asyncio.run(put_back(settings, file))
    print(f"{settings.data_dir} is as it was at {short_time(label.made_at)} (UTC): {_found(label)}")


def _found(label: Label) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in label.found.items())
