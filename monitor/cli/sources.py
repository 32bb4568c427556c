"""`sources`: how each is, what of it was surely heard, and a look at what it would publish."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import click
import msgspec

from monitor.cli.database import opened
from monitor.cli.group import Commands, cli, log_as_asked, settings_of
from monitor.cli.output import Column, Format, format_option, plain, print_json, print_page, print_table, short_time
from monitor.cli.query import filter_options, filters_of, print_list
from monitor.collectors import open_collector
from monitor.collectors.base import Batch, SourceError, Streamer
from monitor.collectors.budget import Budgets
from monitor.embedded import connect_running
from monitor.pseudonyms import Pseudonyms, key_file, pseudonyms_of
from monitor.settings import Settings, Source
from monitor.store import coverage as stored_coverage
from monitor.store import sources as stored_sources
from monitor.stream import Stream, StreamError
from monitor.times import rfc3339
from monitor.topic import Topic, load_topic
from monitor.words import Coverage, Page

_LISTEN_S = 10.0  # to a source that streams
_POLL_WITHIN_S = 120.0
_NEWS = (
    Column("register", lambda one: one.register),
    Column("id", lambda one: one.id),
    Column("kind", lambda one: one.kind),
    Column("state", lambda one: one.state),
    Column("cited by", lambda one: ", ".join(one.entries)),
    Column("title", lambda one: one.title, long=True),
)


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A post as it would be published. `matched` are the topic's words in it; with none it would be left out."""

    platform: str
    id: str
    created_at: str | None
    author: str | None
    url: str | None
    matched: tuple[str, ...]
    text: str


@cli.group(cls=Commands, invoke_without_command=True, epilog="Example:  exowatch sources --format json")
@filter_options()
@format_option
@click.pass_context
def sources(context: click.Context, /, how: Format, **given: Any) -> None:
    """List sources and how each is; filters other than --source ask for a mention of theirs that passes."""
    if context.invoked_subcommand is not None:
        return
    columns = (
        Column("name", lambda one: one.name),
        Column("kind", lambda one: one.kind),
        Column("state", lambda one: one.state),
        Column("heard", lambda one: one.heard),
        Column("lag s", lambda one: one.lag_s),
        Column("gaps", lambda one: len(one.gaps)),
        Column("last success", lambda one: short_time(one.last_success)),
        Column("last error", lambda one: one.last_error, long=True),
    )
    print_list(context, stored_sources.page, given, columns, how)


@sources.command("coverage", epilog="Example:  exowatch sources coverage skincare-reddit --since 7d")
@click.argument("name")
@click.option("--since", help="What lies after: a duration back from now (24h, 7d) or a time.")
@click.option("--until", help="What lies before.")
@click.option(
    "--format", "how", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print it."
)
@click.pass_context
def coverage(context: click.Context, /, name: str, how: str, **given: Any) -> None:
    """Show which times of the source NAME were surely heard, which gaps there are and why, and what came late."""
    filters = filters_of(given)

    async def read() -> Coverage | None:
        async with opened(settings_of(context)) as database, database.read() as connection:
            return await stored_coverage.find(connection, name, filters.since, filters.until)

    found = asyncio.run(read())
    if found is None:
        raise click.ClickException(f"there is no source {plain(name)}; `exowatch sources` lists them")
    if how == "json":
        print_json(found)
        return
    spans: list[tuple[str, str, str, str]] = [(one.since, one.until, "covered", "") for one in found.covered]
    spans += [(one.since, one.until, f"gap, {one.state}", one.what) for one in found.gaps]
    if found.open_since is not None:
        spans.append((found.open_since, "", "not known yet", "" if found.state in ("ok", "silent") else found.state))
    columns = (
        Column("since", lambda one: short_time(one[0])),
        Column("until", lambda one: short_time(one[1])),
        Column("was", lambda one: one[2]),
        Column("why", lambda one: one[3], long=True),
    )
    print_table(sorted(spans, key=lambda one: one[0]), columns)
    if found.late:
        click.echo(f"{found.late} posts came late, the last of them {short_time(found.last_late)}", err=True)


@sources.command("test", epilog="Example:  exowatch sources test skincare-reddit")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many posts to show.")
@format_option
@click.pass_context
def test(context: click.Context, name: str, limit: int, how: Format) -> None:
    """Fetch once from the source NAME and show what it would publish. Nothing is stored, and its cursor stays where it is.

    A source that streams is listened to for ten seconds. Posts that are not on the topic are shown without words; they would be
    left out.
    """
    log_as_asked(context, logging.WARNING)
    settings = settings_of(context)
    source = next((one for one in settings.source if one.name == name), None)
    if source is None:
        known = ", ".join(one.name for one in settings.source) or "none"
        raise click.ClickException(f"there is no source {plain(name)} in the settings; there are {plain(known)}")
    topic = load_topic(settings.topic_folder)
    try:
        batches = asyncio.run(_fetch(settings, source, topic))
    except SourceError as error:
        raise click.ClickException(f"{name}: {error}") from None
    keywords = topic.keywords
    has_key = settings.privacy.key.get_secret_value() or key_file(settings).exists()  # none is made for a look
    pseudonyms = pseudonyms_of(settings) if has_key else Pseudonyms("none")
    posts = [post for batch in batches for post in batch.posts]
    previews = [_preview(post, keywords, pseudonyms) for post in itertools.islice(posts, limit)]
    columns = (
        Column("made", lambda one: short_time(one.created_at)),
        Column("platform", lambda one: one.platform),
        Column("id", lambda one: one.id),
        Column("words", lambda one: ", ".join(one.matched)),
        Column("text", lambda one: one.text, long=True),
    )
    news = [one for batch in batches for one in batch.news]
    if news:
        print_page(Page(items=news[:limit], next=None), _NEWS, how)
    if posts or not news:
        print_page(Page(items=previews, next=None), columns, how)
    on_topic = sum(bool(keywords.find(post.text)) for post in posts)
    gone = sum(len(batch.deleted) for batch in batches)
    click.echo(f"{len(posts)} posts, {on_topic} of them on the topic; {gone} deletions, {len(news)} news", err=True)


def _preview(post: Any, keywords: Any, pseudonyms: Pseudonyms) -> Preview:
    return Preview(
        platform=post.platform,
        id=post.id,
        created_at=rfc3339(post.created_at),
        author=pseudonyms.of(post.platform, post.author),
        url=post.url,
        matched=tuple(keywords.find(post.text)),
        text=post.text,
    )


async def _fetch(settings: Settings, source: Source, topic: Topic) -> list[Batch]:
    """The batches of one poll, or of a few seconds of a stream. Raises SourceError."""
    batches: list[Batch] = []
    async with shared_budgets(settings) as budgets:
        collector = open_collector(source, budgets, lambda: topic)
        try:
            if isinstance(collector, Streamer):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LISTEN_S), aclosing(collector.stream(None)) as heard:
                        batches = await _into(batches, heard)
            else:
                async with asyncio.timeout(_POLL_WITHIN_S), aclosing(collector.poll(None)) as heard:
                    batches = await _into(batches, heard)
        except TimeoutError:
            raise SourceError(f"no answer within {_POLL_WITHIN_S:g} s") from None
        finally:
            await collector.close()
    return batches


async def _into(batches: list[Batch], heard: AsyncIterator[Batch]) -> list[Batch]:
    async for batch in heard:
        batches.append(batch)  # noqa: PERF401 - what came before a timeout counts
    return batches


@asynccontextmanager
async def shared_budgets(settings: Settings) -> AsyncIterator[Budgets]:
    """The budgets that the daemon keeps, where its Redis runs; else none, and nothing is started for them."""
    url = settings.redis.url or connect_running(settings.data_dir)
    try:
        stream = await Stream.open(url, settings.redis.partitions) if url else None
    except StreamError:
        stream = None
    try:
        yield Budgets(stream.buckets if stream is not None else None)
    finally:
        if stream is not None:
            await stream.close()
