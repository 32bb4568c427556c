"""`exowatch check`: tries everything that the daemon will need, and says how to mend what does not work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import cast

import click
import msgspec

from monitor.cli import database
from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.cli.output import counted, plain
from monitor.cli.sources import shared_budgets
from monitor.collectors import access_to, kind_of, open_collector
from monitor.collectors.base import SourceError, Streamer
from monitor.collectors.budget import Budgets
from monitor.connections import DaemonError, opened
from monitor.settings import Endpoint, Settings, Source
from monitor.store import StoreError
from monitor.topic import Topic, TopicError, load_topic
from workers.deliver.channels import url_problem
from workers.deliver.webhook import Webhook
from workers.judgement import Judge
from workers.openai.client import Client, NoAnswer
from workers.openai.purse import Purse

_SOURCE_WITHIN_S = 60.0
_ENDPOINT_WITHIN_S = 10.0
_NAMES_SHOWN = 10


class Finding(msgspec.Struct, frozen=True):
    """What one try showed: whether it worked, and what to know or to do."""

    what: str
    ok: bool
    text: str


@cli.command(epilog="Example: exowatch check")
@click.pass_context
def check(context: click.Context) -> None:
    """Try config, register and model, Redis, database, the classifier's server, every source and every endpoint.

    Each line says what was tried, and where it failed how to mend it. Nothing is published and no alert is sent. Exit status 1 if
    anything is wrong.
    """
    log_as_asked(context, logging.WARNING)
    failed = asyncio.run(_check(settings_of(context)))
    context.exit(1 if failed else 0)


async def _check(settings: Settings) -> int:
    failed = 0
    async for finding in _findings(settings):
        mark = click.style("ok    ", fg="green") if finding.ok else click.style("FAILED", fg="red")
        click.echo(f"{mark} {finding.what}: {plain(finding.text)}")
        failed += not finding.ok
    return failed


async def _findings(settings: Settings) -> AsyncIterator[Finding]:
    yield Finding(
        "config", ok=True, text=f"{counted(len(settings.source), 'source')}, {counted(len(settings.endpoint), 'endpoint')}"
    )
    if settings.privacy.authors == "none":
        yield Finding("privacy", ok=True, text='authors = "none": distinct authors are not counted, claim.spreading never comes')
    topic: Topic | None = None
    try:
        topic = load_topic(settings.topic_folder, settings.watchlist_file)
    except TopicError as error:
        yield Finding("topic", ok=False, text=str(error))
    else:
        yield _register(topic)
        for finding in _watched(settings, topic):
            yield finding
        if reason := await asyncio.to_thread(_unjudging, topic):
            yield Finding("topic", ok=False, text=reason)
    yield await _servers(settings)
    if settings.classifier.kind != "local":
        yield await _classifier(settings)
    async with shared_budgets(settings) as budgets:
        for source in settings.source:
            yield await _source(source, budgets, topic)
    for endpoint in settings.endpoint:
        yield await _endpoint(endpoint)


def _watched(settings: Settings, topic: Topic) -> Iterator[Finding]:
    """Endpoints that ask for a name which is not on the watchlist: they would never hear of it."""
    for endpoint in settings.endpoint:
        for name in endpoint.watch:
            if name not in topic.watchlist.names:
                more = ", …" if len(topic.watchlist.names) > _NAMES_SHOWN else ""
                listed = ", ".join(topic.watchlist.names[:_NAMES_SHOWN]) or "none"
                text = f"the watchlist has no name {name!r}; write it as it stands there ({listed}{more})"
                yield Finding(f"endpoint {endpoint.name}", ok=False, text=text)


def _unjudging(topic: Topic) -> str | None:
    """Why posts cannot be judged by this pack; None where they can. Loads its model, which may take a second."""
    try:
        Judge(topic)
    except TopicError as error:
        return str(error)
    return None


def _register(topic: Topic) -> Finding:
    problems = topic.register.check()
    if problems:
        return Finding("register", ok=False, text=f"{problems[0]} ({len(problems)} problems; see `exowatch evidence check`)")
    stale = len(topic.register.stale())
    note = f", {stale} of them with an old record (see `exowatch evidence check`)" if stale else ""
    entries, names = len(topic.register.entries), len(topic.watchlist.names)
    return Finding("register", ok=True, text=f"{entries} entries of topic {topic.name}{note}; {names} names on the watchlist")


async def _servers(settings: Settings) -> Finding:
    try:
        async with opened(settings, own=False) as (stream, database), database.read() as connection:
            await stream.ping()
            await connection.exec_driver_sql("SELECT 1")
            where = "embedded" if not settings.redis.url else "configured"
            return Finding("servers", ok=True, text=f"Redis ({where}) and {database.dialect} answer")
    except DaemonError as error:
        return Finding("servers", ok=False, text=str(error))


async def _classifier(settings: Settings) -> Finding:
    """Whether the model can be asked; where it cannot, the local classifier judges."""
    client = Client(settings.classifier)
    try:
        answer = await client.probe()
    except NoAnswer as error:
        return Finding("classifier", ok=False, text=f"{error} (meanwhile the local classifier judges)")
    finally:
        await client.close()
    return Finding("classifier", ok=True, text=f"{answer}; {await _spent(settings)}")


async def _spent(settings: Settings) -> str:
    if settings.classifier.daily_cap is None:
        return "no daily cap is set"
    try:
        async with database.opened(settings) as opened_database:
            purse = Purse(opened_database, settings.classifier)
            return f"spent today: {purse.shown(await purse.spent())} of {purse.cap}"
    except (click.ClickException, StoreError):  # `servers` has said what is wrong with the database
        return "what was spent today cannot be looked up"


async def _source(source: Source, budgets: Budgets, topic: Topic | None) -> Finding:
    """Whether the source answers, what of it is heard with the credentials that there are, and what others would give."""
    what, access = f"source {source.name}", access_to(source)
    lead = "more is heard with what is missing" if access.usable else "missing"
    more = f"; {lead}: {access.missing}" if access.missing else ""
    if not access.usable:
        return Finding(what, ok=False, text=f"nothing can be heard of it{more}")
    if topic is None and kind_of(source).by_topic:
        return Finding(what, ok=False, text="its searches stand in the topic pack, which cannot be used")
    collector = open_collector(source, budgets, lambda: cast("Topic", topic))
    try:
        async with asyncio.timeout(_SOURCE_WITHIN_S):
            batches = collector.stream(None) if isinstance(collector, Streamer) else collector.poll(None)
            async with aclosing(batches) as heard:
                first = await anext(heard, None)
        came = "nothing there yet" if first is None else f"{len(first.news)} news" if first.news else f"{len(first.posts)} posts"
        return Finding(what, ok=True, text=f"answers, {came}; works: {access.works}{more}")
    except SourceError as error:
        return Finding(what, ok=False, text=f"{error}{more}")
    except TimeoutError:
        return Finding(what, ok=False, text=f"no answer within {_SOURCE_WITHIN_S:.0f} s{more}")
    finally:
        await collector.close()


async def _endpoint(endpoint: Endpoint) -> Finding:
    """Whether the endpoint can be reached. It is asked for its options only; `endpoints test` sends an event."""
    what = f"endpoint {endpoint.name}"
    if endpoint.kind == "apprise":  # most services cannot be asked without a message
        problem = url_problem(endpoint)
        return Finding(what, ok=problem is None, text=problem or "is not asked: `exowatch endpoints test` sends a message")
    webhook = Webhook(endpoint, connections=1, timeout_s=_ENDPOINT_WITHIN_S)
    try:
        answer = await webhook.probe()
    finally:
        await webhook.close()
    if answer.status is None:
        return Finding(what, ok=False, text=str(answer.error))
    return Finding(what, ok=True, text=f"can be reached (HTTP {answer.status}); `exowatch endpoints test` sends an event")
