"""`exowatch replay`: posts from a file, published as a collector would."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.cli.lines import LineError, bounded_lines, text_of
from monitor.daemon import opened
from monitor.forgotten import Forgotten
from monitor.intake import Intake, Offered, PostError, keys_of, post_from, pseudonyms_of
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
    log_as_asked(context, logging.WARNING)
    offered, bad = asyncio.run(_replay(settings_of(context), file))
    click.echo(f"accepted {offered.accepted}, duplicates {offered.duplicates}, unmatched {offered.unmatched}")
    if bad:
        click.echo(f"{bad} bad lines were left out", err=True)
        context.exit(1)


async def _replay(settings: Settings, file: Path) -> tuple[Offered, int]:
    topic = load_topic(settings.topic_folder)
    offered, bad = Offered(), 0
    async with opened(settings, own=False) as (stream, database):
        intake = Intake(stream, topic.keywords, pseudonyms_of(settings), Forgotten(database, keys_of(settings)[0]))
        batch: list[Post] = []
        for number, line in _lines(file):
            try:
                batch += _post(line)
            except (LineError, PostError) as error:
                bad += 1
                click.echo(f"line {number}: {error}", err=True)
            if len(batch) == _BATCH:
                offered += await _offer(intake, batch)
                batch = []
        offered += await _offer(intake, batch)
    return offered, bad


async def _offer(intake: Intake, posts: list[Post]) -> Offered:
    """Offers the posts, at the workers' pace where they are behind."""
    while True:
        try:
            return await intake.offer(posts, source="replay")
        except StreamFull:
            await asyncio.sleep(_WAIT_S)


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The numbered lines of the file, with a progress bar where somebody watches."""
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress, file.open("rb") as lines:
        task = progress.add_task("replay", total=file.stat().st_size)
        for number, line, length in bounded_lines(lines):
            progress.advance(task, length)
            yield number, line


def _post(line: bytes) -> list[Post]:
    """The post of a line, or nothing for an empty one. Raises LineError, PostError."""
    text = text_of(line)
    if not text:
        return []
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise PostError(f"not JSON: {error.msg.removesuffix(' at')} at character {error.pos + 1}") from None
    except RecursionError:
        raise PostError("not JSON that can be read: nested too deeply") from None
    except ValueError:  # Python's guard against numbers of thousands of digits
        raise PostError("not JSON that can be read: a number has too many digits") from None
    return [post_from(raw)]
