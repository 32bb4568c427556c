"""`reviews`: what people said of claims, as labelled posts."""

from __future__ import annotations

import asyncio
import sys
from typing import IO

import click

from monitor import words
from monitor.cli.database import opened
from monitor.cli.group import Commands, cli, settings_of
from monitor.cli.output import counted
from monitor.store.labelled import reviewed_posts
from monitor.topic import lexicon_folder, load_lexicon


@cli.group(cls=Commands, epilog="Example:  exowatch reviews export reviewed.jsonl")
def reviews() -> None:
    """What people said of claims, taken together. `exowatch claim ID ACTION` is where they say it."""


@reviews.command(epilog="Example:  exowatch reviews export reviewed.jsonl && exowatch evaluate reviewed.jsonl")
@click.argument("file", type=click.File("wb", lazy=True), default="-")
@click.pass_context
def export(context: click.Context, file: IO[bytes]) -> None:
    """Write the posts whose claims have been reviewed to FILE (- for stdout) as labelled posts, one JSON object a line.

    A post is taken where its text is still there and each of its claims is confirmed or dismissed, after the post came. What was
    dismissed is left out of its labels.
    """
    posts, claims, without = asyncio.run(_export(context, file))
    none = f"{without} of them carr{'ies' if without == 1 else 'y'} none, since all were dismissed"
    print(f"{counted(posts, 'post')} with {counted(claims, 'claim')}; {none}", file=sys.stderr)
    if not posts:
        raise click.ClickException(
            "no post has all of its claims reviewed; `exowatch claim ID confirm` or `exowatch claim ID dismiss` does it"
        )


async def _export(context: click.Context, file: IO[bytes]) -> tuple[int, int, int]:
    posts = claims = without = 0
    settings = settings_of(context)
    numbered = load_lexicon(lexicon_folder(settings.topic_folder)).numbered
    async with opened(settings) as database, database.read() as connection:
        async for post in reviewed_posts(connection, numbered):
            file.write(words.encode(post) + b"\n")
            posts += 1
            claims += len(post.claims)
            without += not post.claims
    return posts, claims, without
