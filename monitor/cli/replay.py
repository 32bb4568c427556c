"""`exowatch replay` and `exowatch import`: posts from a file, published as a collector would."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.cli.output import counted
from monitor.connections import opened
from monitor.edits import Record
from monitor.forgotten import Forgotten
from monitor.intake import Intake, Offered
from monitor.post_files import Row, read_posts
from monitor.pseudonyms import keys_of, pseudonyms_of
from monitor.settings import Settings
from monitor.stream import StreamFull
from monitor.topic import load_topic
from monitor.words import Post

_BATCH = 500
_WAIT_S = 0.5


@cli.command(epilog="Example: exowatch replay posts.jsonl")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def replay(context: click.Context, file: Path) -> None:
    """Publish the posts of FILE (JSONL) as a collector would, and print what became of them.

    A line is {"platform", "id", "text", "title"?, "url"?, "author"?, "created_at"?, "lang"?}. A running daemon judges them at
    once; without one they wait in the stream for the next. Replayed posts always count as fresh. A bad line is named on stderr,
    the others go on, and the exit status is 1.
    """
    _publish(context, file, "replay.jsonl", "replay", None)


@cli.command("import", epilog="Example:  exowatch import export.csv --platform forum")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--platform", help="Where posts are from that do not say so themselves.")
@click.pass_context
def import_posts(context: click.Context, file: Path, platform: str | None) -> None:
    """Publish the posts of FILE, CSV or JSONL, as `replay` does.

    CSV (a file named .csv) has a first line of names: platform, id, text, and where wanted title, url, author, created_at, lang,
    in any order and between commas, semicolons or tabs. Columns of other names are ignored.
    """
    _publish(context, file, file.name, "import", platform)


def _publish(context: click.Context, file: Path, name: str, source: str, platform: str | None) -> None:
    log_as_asked(context, logging.WARNING)
    offered, bad = asyncio.run(_offer_all(settings_of(context), _rows(file, name, platform), source))
    click.echo(f"accepted {offered.accepted}, duplicates {offered.duplicates}, unmatched {offered.unmatched}")
    if bad:
        click.echo(f"{counted(bad, 'bad line')} {'was' if bad == 1 else 'were'} left out", err=True)
        context.exit(1)


async def _offer_all(settings: Settings, rows: Iterator[Row], source: str) -> tuple[Offered, int]:
    topic = load_topic(settings.topic_folder)
    offered, bad = Offered(), 0
    async with opened(settings, own=False) as (stream, database):
        forgotten = Forgotten(database, keys_of(settings)[0])
        intake = Intake(stream, topic.keywords, pseudonyms_of(settings), forgotten, Record(stream, database))
        batch: list[Post] = []
        for row in rows:
            if row.post is not None:
                batch.append(row.post)
            else:
                bad += 1
                click.echo(f"line {row.number}: {row.error}", err=True)
            if len(batch) == _BATCH:
                offered += await _offer(intake, batch, source)
                batch = []
        offered += await _offer(intake, batch, source)
    return offered, bad


async def _offer(intake: Intake, posts: list[Post], source: str) -> Offered:
    """Offers the posts, at the workers' pace where they are behind."""
    while True:
        try:
            return await intake.offer(posts, source=source)
        except StreamFull:
            await asyncio.sleep(_WAIT_S)


def _rows(file: Path, name: str, platform: str | None) -> Iterator[Row]:
    """The rows of the file, with a progress bar where somebody watches."""
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress, file.open("rb") as lines:
        task = progress.add_task("posts", total=file.stat().st_size)
        for row in read_posts(lines, name, platform):
            progress.update(task, completed=row.end)
            yield row
