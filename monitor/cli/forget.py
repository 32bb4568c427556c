"""`forget`: at a person's request, all that is kept of a post or of an author."""

from __future__ import annotations

import asyncio
import logging
import sys

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.cli.output import counted, plain
from monitor.connections import opened
from monitor.deletions import Eraser
from monitor.forgotten import ANY, Forgotten
from monitor.notices import Gone
from monitor.pseudonyms import keys_of, pseudonyms_of
from monitor.settings import Settings
from monitor.store import Connection, forgetting, sweeps

_URL = ("http://", "https://")


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be erased, and the digests by which it is known when it comes again."""

    gone: list[Gone]
    digests: set[str]
    what: str


@cli.command(epilog="Example:  exowatch forget reddit:some-user --yes\n\nexowatch forget https://example.org/post/7")
@click.argument("who", metavar="AUTHOR|URL")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--undo", is_flag=True, help="Let it be taken in again. What was erased does not come back.")
@click.pass_context
def forget(context: click.Context, who: str, yes: bool, undo: bool) -> None:
    """Erase the posts of AUTHOR, or the post at URL, wherever exowatch keeps them, and take in nothing of theirs again.

    AUTHOR is PLATFORM:NAME, or a name alone for all platforms; a post may also be named by its id (m_… or PLATFORM:ID). Text,
    address and author go; that there was a mention stays counted. Endpoints that were told of a post receive mention.deleted.
    Only a keyed hash is kept, by which it is recognised.
    """
    log_as_asked(context, logging.WARNING)
    settings = settings_of(context)
    if not undo and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("this cannot be taken back; say --yes", context)
        click.confirm(f"Erase all that is kept of {plain(who)}? This cannot be taken back.", abort=True)
    print(asyncio.run(_undo(settings, who) if undo else _forget(settings, who)))


async def _forget(settings: Settings, who: str) -> str:
    pseudonyms = pseudonyms_of(settings)
    async with opened(settings, own=False) as (stream, database):
        forgotten = Forgotten(database, keys_of(settings)[0])
        async with database.read() as connection:
            asked = await _asked(connection, settings, forgotten, who)
        async with database.write() as connection:  # first, so that nothing comes in again meanwhile
            await forgetting.remember(connection, asked.digests)
        eraser = Eraser(stream, database, pseudonyms, settings.endpoint)
        with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task("erasing", total=None)
            count = await eraser.erase(
                asked.gone, hide_ids=True, thorough=True, progress=lambda more: progress.advance(task, more)
            )
    note = ""
    if settings.privacy.authors == "none" and any(one.author for one in asked.gone):
        note = '; authors are not kept (authors = "none"), so earlier posts could not be found by one: name each by its address'
    return f"{counted(count, 'mention')} of {asked.what} erased; nothing of it is taken in again{note}"


async def _undo(settings: Settings, who: str) -> str:
    async with opened(settings, own=False) as (_, database):
        forgotten = Forgotten(database, keys_of(settings)[0])
        async with database.read() as connection:
            asked = await _asked(connection, settings, forgotten, who)
        async with database.write() as connection:
            count = await forgetting.allow(connection, asked.digests)
    if not count:
        raise click.ClickException(f"{plain(who)} was not forgotten; it is written as it was for `exowatch forget`")
    return f"{asked.what} is taken in again"


async def _asked(connection: Connection, settings: Settings, forgotten: Forgotten, who: str) -> _Asked:
    if who.startswith(_URL):
        posts = await forgetting.posts_at(connection, who)
        digests = {forgotten.of_url(who), *(forgotten.of_post(*post) for post in posts)}
        return _Asked(gone=[_post(*post) for post in posts], digests=digests, what="the post at that address")
    post = await forgetting.post_named(connection, who)
    if post is not None:
        return _Asked(gone=[_post(*post)], digests={forgotten.of_post(*post)}, what="that post")
    platforms = {*await sweeps.platforms(connection), *(source.kind for source in settings.source)}
    platform, colon, name = who.partition(":")
    if colon and platform in platforms and name:
        gone = [Gone(platform=platform, author=name)]
        return _Asked(gone=gone, digests={forgotten.of_author(platform, name)}, what="that author")
    everywhere = [Gone(platform=one, author=who) for one in sorted(platforms)]
    return _Asked(gone=everywhere, digests={forgotten.of_author(ANY, who)}, what="that author")


def _post(platform: str, post_id: str) -> Gone:
    return Gone(platform=platform, post=post_id)
