"""`watch`: what is new, as it comes, one line each."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any, Literal, get_args

import click
from rich.console import Console
from rich.text import Text

from monitor import words
from monitor.api.live import look_up
from monitor.cli.database import opened
from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.cli.output import plain, short_time
from monitor.cli.query import filter_options, filters_of
from monitor.embedded import connect_running
from monitor.settings import Settings
from monitor.store import Database, Filters, StoreUnavailable
from monitor.stream import Stream, StreamError
from monitor.words import Alert, Claim, Mention

Event = Literal["alert", "claim", "mention"]
_USUAL: tuple[Event, ...] = ("alert", "claim")
_STYLES = {"alert": "bold", "contradicted": "red", "unsupported": "yellow", "supported": "green"}


@cli.command(epilog="Example:  exowatch watch --verdict contradicted --platform tiktok")
@click.option(
    "--event", "events", multiple=True, type=click.Choice(get_args(Event)), help="What to show (default: alert, claim)."
)
@click.option(
    "--format", "how", type=click.Choice(("lines", "jsonl")), default="lines", show_default=True, help="How to print it."
)
@filter_options(of_page=False, of_time=False)
@click.pass_context
def watch(context: click.Context, /, events: tuple[Event, ...], how: str, **given: Any) -> None:
    """Show alerts and claims as they come, one line each, until Ctrl-C.

    `claim` are the claims of each new mention, and those that somebody reviewed; `mention` are the mentions themselves. A daemon
    has to run: this one only listens.
    """
    log_as_asked(context, logging.WARNING)
    asyncio.run(_watch(settings_of(context), events or _USUAL, how, filters_of(given)))


async def _watch(settings: Settings, events: tuple[Event, ...], how: str, filters: Filters) -> None:
    url = settings.redis.url or connect_running(settings.data_dir)
    if url is None:
        raise click.ClickException(f"no daemon runs on {settings.data_dir}; start one with `exowatch run`, then watch it")
    try:
        stream = await Stream.open(url, settings.redis.partitions)
    except StreamError as error:
        raise click.ClickException(str(error)) from None
    try:
        async with opened(settings) as database:
            position = await stream.signal_position()
            if sys.stderr.isatty():
                click.echo("Listening; Ctrl-C ends it.", err=True)
            await _listen(stream, database, position, events, how, filters)
    finally:
        await stream.close()


async def _listen(
    stream: Stream, database: Database, position: str, events: tuple[Event, ...], how: str, filters: Filters
) -> None:
    show = _printer(how)
    async with aclosing(stream.signals(position)) as signals:
        async for signal in signals:
            try:
                async with database.read() as connection:
                    found = await look_up(connection, signal, filters)
            except StoreUnavailable as error:
                click.echo(f"exowatch: {error}; what came meanwhile is in the lists", err=True)
                continue
            for event, text, style, record in _lines(found, filters):
                if event in events:
                    show(event, text, style, record)


def _printer(how: str) -> Any:
    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
    width = console.width if sys.stdout.isatty() else None

    def line(event: str, text: str, style: str, _record: Any) -> None:
        shown = Text(f"{event:<7}  {text}", style=style)
        if width is not None:
            shown.truncate(width, overflow="ellipsis")
        console.print(shown)
        sys.stdout.flush()

    def record(event: str, _text: str, _style: str, record: Any) -> None:
        sys.stdout.buffer.write(words.encode({"event": event, "data": record}) + b"\n")
        sys.stdout.buffer.flush()

    return record if how == "jsonl" else line


def _lines(found: Mention | Alert | Claim | None, filters: Filters) -> Iterator[tuple[Event, str, str, Any]]:
    """What a new thing is shown as: the event, its line, its style, and the record."""
    if isinstance(found, Alert):
        yield (
            "alert",
            plain(f"{short_time(found.created_at)}  {found.kind}  {found.summary}  {found.claim_id or found.id}"),
            "bold",
            found,
        )
    elif isinstance(found, Claim):
        said = f"{short_time(found.last_seen)}  {found.verdict} {found.type}, {found.state}  {found.claim}  {found.id}"
        yield "claim", plain(said), _STYLES.get(found.verdict, ""), found
    elif isinstance(found, Mention):
        where = f"{short_time(found.seen_at)}  {found.platform}"
        yield "mention", plain(f"{where}  {len(found.claims)} claims  {found.text or ''}  {found.id}"), "", found
        for one in found.claims:
            asked = (
                (one.type, filters.type),
                (one.verdict, filters.verdict),
                (one.stance, filters.stance),
                (one.claim_id, filters.claim),
            )
            if all(not values or said in values for said, values in asked):
                text = f"{where}  {one.verdict} {one.type}, {one.stance}  “{one.quote}”  {one.claim_id}"
                yield "claim", plain(text), _STYLES.get(one.verdict, ""), one
