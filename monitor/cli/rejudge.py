"""`rejudge`: history through the present classifier and register; says what would change before it changes it."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from monitor.cli.database import opened
from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.cli.output import counted, plain, print_json
from monitor.cli.query import filters_of
from monitor.settings import Settings
from monitor.store.filters import number_range
from monitor.topic import Topic, load_topic
from workers.judgement import Judge
from workers.readers import opened_reader
from workers.rejudge import Applied, Outlook, Rejudging


@cli.command(epilog="Example:  exowatch rejudge --since 30d")
@click.option("--since", help="Only mentions heard since: a duration back from now (24h, 7d) or a time.")
@click.option("--until", help="Only mentions heard before: a duration back from now or a time.")
@click.option("--yes", is_flag=True, help="Change it without asking.")
@click.option(
    "--format", "how", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print it."
)
@click.pass_context
def rejudge(context: click.Context, since: str | None, until: str | None, yes: bool, how: str) -> None:
    """Run history through the present classifier and register: say what would change, then change it.

    Mentions whose text is on record and that other versions judged are read again; in all of them the names of the present
    watchlist are looked for. On a terminal it asks before it changes anything; elsewhere it only says, unless --yes is given.
    What is changed raises no alert but claim.verdict_changed. A daemon may run meanwhile. Interrupted, it has done what it has
    done, and goes on when it is run again.
    """
    log_as_asked(context, logging.WARNING)
    settings = settings_of(context)
    places = number_range(filters_of({"since": since, "until": until}))
    topic = load_topic(settings.topic_folder, settings.watchlist_file)
    with asyncio.Runner() as runner, _rejudging(runner, settings, topic) as run:
        total = sum(runner.run(run.count(places))[:1])
        with _progress("reading", total) as advance:
            outlook = runner.run(run.look(places, advance))
        print_json(outlook) if how == "json" else _print(outlook)
        if not outlook.to_do or not _wanted(yes):
            return
        _hold_to(topic, settings)
        with _progress("writing", total) as advance:
            applied = runner.run(_apply(run, advance))
        print_json(applied) if how == "json" else _print_applied(applied)
        if applied.interrupted:
            raise click.Abort


@contextmanager
def _rejudging(runner: asyncio.Runner, settings: Settings, topic: Topic) -> Iterator[Rejudging]:
    """The run on an open database, with the configured classifier."""
    stack = AsyncExitStack()
    jurisdictions = settings.alerts.jurisdictions

    async def start() -> Rejudging:
        database = await stack.enter_async_context(opened(settings))
        judge = Judge(topic, jurisdictions)
        posts = await stack.enter_async_context(opened_reader(settings.classifier, topic, judge, database))
        run = Rejudging(database, topic, posts, jurisdictions, settings.endpoint)
        stack.callback(run.close)
        return run

    try:
        yield runner.run(start())
    except BaseException as error:
        # The database has a better word for some of its errors, and raises that.
        runner.run(stack.__aexit__(type(error), error, error.__traceback__))
        raise
    else:
        runner.run(stack.aclose())


async def _apply(run: Rejudging, advance: Callable[[int], object]) -> Applied:
    """Until it is done, or Ctrl-C: then what is in hand is finished first."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    try:
        return await run.apply(stop, advance)
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _wanted(yes: bool) -> bool:
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("Nothing was changed; --yes changes it.", file=sys.stderr)
        return False
    return click.confirm("Change this?", err=True)


def _hold_to(topic: Topic, settings: Settings) -> None:
    """Raises ClickException where the pack is another by now than the one that said what would change."""
    now = load_topic(settings.topic_folder)
    if (now.version, now.register.version) != (topic.version, topic.register.version):
        raise click.ClickException("the topic pack has changed meanwhile, so nothing was changed; run it again")


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """Shows how far it is where somebody watches."""
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda number: progress.advance(task, number)


def _print(one: Outlook) -> None:
    judged = f"{_were(one.judged, 'mention')} judged by other versions"
    print(f"{judged} than {plain(one.classifier)} and register {one.register}")
    print(f"{one.up_to_date:,} {'is' if one.up_to_date == 1 else 'are'} up to date")
    if one.failed:
        print(f"{one.failed:,} cannot be read now and stay as they are")
    print(f"{one.other_claims:,} would carry other claims: {one.gained:,} gained, {one.lost:,} lost")
    _examples("gained", one.gained_examples)
    _examples("lost", one.lost_examples)
    print(f"{one.read_otherwise:,} would be read otherwise, with the same claims")
    print(f"{counted(one.verdicts_changed, 'claim')} would get another verdict")
    for change in one.verdict_examples:
        heard = counted(change.mentions, "mention")
        print("  " + plain(f"{change.before} -> {change.now}  {change.claim_id}  {change.claim} ({heard})"))
    flags = counted(one.alerts_on + one.alerts_off, "alert flag")
    print(f"{flags} would change: {one.alerts_on:,} set, {one.alerts_off:,} taken away")
    if one.other_names:
        print(f"{counted(one.other_names, 'mention')} would be found by other names of the watchlist")


def _were(number: int, noun: str) -> str:
    return f"{counted(number, noun)} {'was' if number == 1 else 'were'}"


def _examples(what: str, examples: list[Any]) -> None:
    for one in examples:
        print("  " + plain(f"{what}  {one.mention_id}  {one.claim_id}  {one.verdict}  {one.claim}"))


def _print_applied(one: Applied) -> None:
    judged = f"{counted(one.mentions, 'mention')} {'is' if one.mentions == 1 else 'are'} judged by the present versions"
    print(f"{judged}, {_were(one.told, 'changed verdict')} told")
    if one.renamed:
        print(f"{_were(one.renamed, 'mention')} looked through for the present watchlist's names, which differ")
    if one.passed_over:
        print(f"{one.passed_over:,} were edited, deleted or judged anew meanwhile and stay as they are")
    if one.interrupted:
        print("Interrupted; run it again for the rest.", file=sys.stderr)
