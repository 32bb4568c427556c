"""`exowatch demo`: see it work, without network or keys."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.connections import opened
from monitor.daemon import Daemon
from monitor.demo import Receiver, demo_settings, play, sample_posts
from monitor.settings import Settings
from monitor.store import alerts, claims, deliveries, mentions, parse_filters
from monitor.topic import load_topic

_PACE_S = 0.15  # between posts, where somebody watches
_TROUBLE_AFTER_S = 60.0


@cli.command(epilog="Example: exowatch demo --no-open")
@click.option("--no-open", is_flag=True, help="Do not open the page in a browser.")
@click.pass_context
def demo(context: click.Context, no_open: bool) -> None:
    """Play a bundled sample of posts through the real pipeline, in a fresh temporary data folder.

    A receiver on this machine checks the signature of every alert and prints it. On a terminal the page stays open until Ctrl-C;
    without one the demo ends when everything is delivered. No network, no keys.
    """
    log_as_asked(context, logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="exowatch-demo-") as folder:
        done = asyncio.run(_demo(settings_of(context), Path(folder), open_page=not no_open and sys.stdout.isatty()))
    context.exit(0 if done else 1)


async def _demo(own: Settings, folder: Path, *, open_page: bool) -> bool:
    watched = sys.stdout.isatty()
    console = Console(stderr=False, highlight=False)
    receiver = Receiver(lambda event: console.print(_line(event), soft_wrap=True))
    topic = await asyncio.to_thread(load_topic, own.topic_folder)
    posts = sample_posts(own.topic_folder)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with receiver.listening():
        settings = demo_settings(folder, own.topic, receiver)
        async with opened(settings) as (stream, database):
            daemon = Daemon(settings, topic, stream, database)
            running = asyncio.create_task(daemon.run(("work", "deliver", "serve"), stop, lambda _: ready.set()))
            ready = asyncio.Event()
            await asyncio.wait({running, asyncio.ensure_future(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running  # it could not start, and says why
            console.print(f"Page: {daemon.address}", style="bold")
            if open_page and daemon.address:
                webbrowser.open(daemon.address)
            with Progress(console=console, disable=not watched, transient=True) as progress:
                task = progress.add_task("playing posts", total=len(posts))
                await play(daemon, posts, _PACE_S if watched else 0.0, lambda n: progress.update(task, completed=n), stop)
            settled = await _settled(daemon, stop)
            console.print(await _summary(daemon, receiver, len(posts)), soft_wrap=True)
            if watched and not stop.is_set():
                console.print("The page stays open until Ctrl-C.", style="dim")
                await stop.wait()
            stop.set()
            await running
    return settled and receiver.refused == 0


async def _settled(daemon: Daemon, stop: asyncio.Event) -> bool:
    """Waits until every post is recorded and every alert is delivered; False where that takes too long."""
    try:
        async with asyncio.timeout(_TROUBLE_AFTER_S):
            while not stop.is_set():
                if not (await daemon.stream.stats()).length and not await _pending(daemon):
                    return True
                await asyncio.sleep(0.1)
    except TimeoutError:
        click.echo("the demo did not finish in time; run it with --verbose to see why", err=True)
    return False


async def _pending(daemon: Daemon) -> int:
    async with daemon.database.read() as connection:
        return sum(one.pending for one in await deliveries.endpoint_statuses(connection, daemon.settings.endpoint))


async def _summary(daemon: Daemon, receiver: Receiver, posts: int) -> str:
    everything = parse_filters({"limit": ["500"]})
    async with daemon.database.read() as connection:
        stored = len((await mentions.page(connection, everything)).items)
        found = len((await claims.page(connection, everything)).items)
        raised = len((await alerts.page(connection, everything)).items)
    return (
        f"{posts} posts played, {stored} mentions on topic stored, {found} claims found, {raised} alerts raised, "
        f"{receiver.received} received with a valid signature, {receiver.refused} refused"
    )


def _line(event: dict[str, Any]) -> Text:
    """One alert as a line or two for a person. Text from posts is only ever text."""
    data = event["data"]
    line = Text("● ", style="red")
    line.append(f"{event['type']}  ", style="bold")
    claim, occurrence, mention = data.get("claim"), data.get("occurrence"), data.get("mention")
    if not (claim and occurrence and mention):
        return line
    line.append(f"{claim['claim']} ")
    line.append(f"[{occurrence['verdict']}]\n", style="red")
    line.append(f"  “{_plain(occurrence['quote'])}” — {mention['platform']}, {mention['url'] or 'no link'}", style="dim")
    return line


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:160]
