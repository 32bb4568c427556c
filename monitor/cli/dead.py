"""`exowatch dead`: what could not be processed, and sending it through again."""

from __future__ import annotations

import asyncio
import logging

import click
import msgspec

from monitor.cli.group import Commands, cli, log_as_asked, settings_of
from monitor.cli.output import Column, Format, format_option, plain, print_page, short_time
from monitor.connections import opened
from monitor.stream import DeadEntry
from monitor.times import rfc3339
from monitor.words import Page, decode_post

_SHOWN = 500


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """A post that could not be processed, as users read it. `post` is None where the entry holds no post at all."""

    id: str
    died_at: str
    deliveries: int
    error: str
    post: str | None  # platform:id


@cli.group(cls=Commands, epilog="Example:  exowatch dead list")
def dead() -> None:
    """Posts that could not be processed: they failed five times and were set aside."""


@dead.command("list", epilog="Example:  exowatch dead list --format json")
@format_option
@click.pass_context
def list_dead(context: click.Context, how: Format) -> None:
    """List what was set aside, the newest first, with the error of its last try."""
    log_as_asked(context, logging.WARNING)
    settings = settings_of(context)

    async def read() -> list[Dead]:
        async with opened(settings, own=False) as (stream, _):
            return [_as_read(entry) for entry in await stream.dead(_SHOWN)]

    columns = (
        Column("died", lambda one: short_time(one.died_at)),
        Column("id", lambda one: one.id),
        Column("post", lambda one: one.post),
        Column("tries", lambda one: one.deliveries),
        Column("error", lambda one: one.error, long=True),
    )
    print_page(Page(items=asyncio.run(read()), next=None), columns, how)


@dead.command("replay", epilog="Example:  exowatch dead replay 0.1763812800000-0")
@click.argument("ids", nargs=-1)
@click.pass_context
def replay_dead(context: click.Context, ids: tuple[str, ...]) -> None:
    """Send what was set aside through again: the entries with these IDS, or all."""
    log_as_asked(context, logging.WARNING)
    settings = settings_of(context)

    async def replay() -> int:
        async with opened(settings, own=False) as (stream, _):
            return await stream.replay_dead(ids or None)

    number = asyncio.run(replay())
    print(f"{number} on their way again")
    if ids and number < len(set(ids)):
        raise click.ClickException(f"{len(set(ids)) - number} of these ids name nothing that is dead; see `exowatch dead list`")


def _as_read(entry: DeadEntry) -> Dead:
    try:
        post = decode_post(entry.data)
        name: str | None = plain(f"{post.platform}:{post.id}")
    except msgspec.MsgspecError:
        name = None
    return Dead(id=entry.id, died_at=rfc3339(entry.died_at), deliveries=entry.deliveries, error=entry.error, post=name)
