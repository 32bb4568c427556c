"""`authors`: the keys that authors are hidden by."""

from __future__ import annotations

import asyncio
import logging
import sys

import click
from rich.console import Console
from rich.progress import Progress

from monitor.cli.database import opened
from monitor.cli.group import Commands, cli, log_as_asked, settings_of
from monitor.pseudonyms import add_key, pseudonyms_of
from monitor.settings import Settings
from monitor.store import renewal


@cli.group(cls=Commands, epilog="Example:  exowatch authors rotate-key")
def authors() -> None:
    """Authors on record: keyed hashes, each the same for the same person on one platform."""


@authors.command("rotate-key", epilog="Example:  exowatch authors rotate-key")
@click.option("--apply", "only_apply", is_flag=True, help="Make no key; bring authors on record under the present one.")
@click.pass_context
def rotate_key(context: click.Context, only_apply: bool) -> None:
    """Hide authors by a new key from now on, those on record too. What is counted by them stays.

    The key is added to author.key in data_dir. Where privacy.key is set, add a line with a new key at the end of it yourself and
    say --apply. Then restart the daemon: until then it hides authors by the key before, and what it writes meanwhile follows
    at its next start.
    """
    log_as_asked(context, logging.WARNING)
    settings = settings_of(context)
    if settings.privacy.authors != "pseudonym":
        raise click.ClickException(f'privacy.authors is "{settings.privacy.authors}", so there is no key to change')
    if not only_apply:
        if settings.privacy.key.get_secret_value():
            raise click.ClickException(
                "privacy.key is set: add a line with a new key at its end, then run `exowatch authors rotate-key --apply`"
            )
        add_key(settings)
    count = asyncio.run(_apply(settings))
    print(f"{count} authors are under key {pseudonyms_of(settings).generation} now; restart the daemon, which has the key before")


async def _apply(settings: Settings) -> int:
    pseudonyms = pseudonyms_of(settings)
    async with opened(settings) as database:
        if pseudonyms.generation < 2:
            return 0
        async with database.read() as connection:
            total = await renewal.waiting(connection, pseudonyms.generation)
        with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("authors", total=total)
            return await renewal.renew_all(
                database, pseudonyms.renewed, pseudonyms.generation, lambda more: progress.advance(task, more)
            )
