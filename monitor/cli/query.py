"""`mentions`, `claims`, `alerts`: the lists, with the filters that HTTP has too."""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.cli.database import opened
from monitor.cli.dry_run import dry_run_options, show_dry_run, without_dry_run
from monitor.cli.group import cli, settings_of
from monitor.cli.output import Column, Format, format_option, plain, print_page, short_time
from monitor.settings import Settings
from monitor.store import FilterError, Filters, parse_filters
from monitor.store import alerts as stored_alerts
from monitor.store import claims as stored_claims
from monitor.store import mentions as stored_mentions
from monitor.store import sources as stored_sources
from monitor.store.filters import CHOICES, EXPLAINED, FILTER_NAMES, NAMES, SINGLE, STATE_EXPLAINED, STATES, Listed
from monitor.topic import load_watchlist
from monitor.words import Page

F = TypeVar("F", bound=Callable[..., Any])
Lister = Callable[[AsyncConnection, Filters], Awaitable[Page[Any]]]


def filter_options(*of: Listed, of_page: bool = True, of_time: bool = True) -> Callable[[F], F]:
    """Adds the filters of these lists (of mentions where none is named), with or without those that choose a page or a time."""
    lists: tuple[Listed, ...] = of or ("mentions",)
    without = {*(() if of_page else ("limit", "cursor")), *(() if of_time else ("since", "until", "doubtful"))}
    names = dict.fromkeys([*FILTER_NAMES, *(name for one in lists for name in NAMES[one])])

    def add(function: F) -> F:
        for name in reversed(names):
            if name not in without:
                function = _filter_option(name, lists)(function)
        return function

    return add


def _filter_option(name: str, lists: Sequence[Listed]) -> Callable[[F], F]:
    if name == "doubtful":
        return click.option(f"--{name}", is_flag=True, help=EXPLAINED[name])
    choices = CHOICES.get(name, ())
    explained = _with(EXPLAINED[name], choices) if choices else EXPLAINED.get(name, "")
    if name == "state":
        mine = [one for one in lists if one in STATES]
        choices = tuple(dict.fromkeys(state for one in mine for state in STATES[one]))
        explained = " ".join(_with(STATE_EXPLAINED[one], STATES[one]) for one in mine)
    return click.option(f"--{name}", multiple=name not in SINGLE, help=explained, shell_complete=_completing(choices))


def _with(explained: str, choices: Sequence[str]) -> str:
    return f"{explained[:-1]}: {', '.join(choices)}."


def _completing(choices: Sequence[str]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    return lambda _context, _option, begun: [one for one in choices if one.startswith(begun)]


def filters_of(given: dict[str, Any], of: Listed = "mentions") -> Filters:
    """The filters of a list from a command's options. Raises UsageError."""
    try:
        return parse_filters({name: _values(value) for name, value in given.items() if value}, of)
    except FilterError as error:
        raise click.UsageError(str(error), click.get_current_context()) from None


def _values(value: Any) -> list[str]:
    """The values of an option, as a user writes them over HTTP."""
    if value is True:
        return ["true"]
    return [value] if isinstance(value, str) else list(value)


def say_unwatched(settings: Settings, names: Sequence[str]) -> None:
    """Names on stderr what is asked for and not on the watchlist: what was tagged with it when it was is still found."""
    if names:
        known = load_watchlist(settings.topic_folder, settings.watchlist_file).names
        _say_unknown(names, known, known, "is not on the watchlist", "names stand in watchlist.yaml of the topic pack")


async def say_unheard_of(connection: AsyncConnection, settings: Settings, filters: Filters) -> None:
    """Names on stderr what is asked for and is no source, or no claim: else a mistyped one is an empty list without a word."""
    if filters.source:
        sources = {one.name for one in settings.source} | await stored_sources.known(connection, filters.source)
        _say_unknown(filters.source, sources, sources, "is no source", "`exowatch sources` lists them")
    if filters.claim:
        there = await stored_claims.known(connection, filters.claim)
        _say_unknown(filters.claim, there, (), "is no claim", "`exowatch claims` lists them")


def _say_unknown(names: Sequence[str], known: Collection[str], like: Collection[str], what: str, where: str) -> None:
    folded = {name.casefold(): name for name in like}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name.casefold(), folded, n=1)
            meant = f"did you mean {folded[near[0]]}?" if near else where
            print(plain(f"exowatch: {name[:80]} {what}; {meant}"), file=sys.stderr)


def print_list(
    context: click.Context,
    lister: Lister,
    given: dict[str, Any],
    columns: Sequence[Column],
    how: Format,
    of: Listed = "mentions",
) -> None:
    """Reads a list with the filters of a command's options, and prints it. Raises UsageError."""
    filters = filters_of(given, of)
    settings = settings_of(context)
    say_unwatched(settings, filters.watch)

    async def read() -> Page[Any]:
        async with opened(settings) as database, database.read() as connection:
            found = await lister(connection, filters)
            await say_unheard_of(connection, settings, filters)
            return found

    try:
        page = asyncio.run(read())
    except FilterError as error:
        raise click.UsageError(str(error), click.get_current_context()) from None
    print_page(page, columns, how)


@cli.command(epilog='Example:  exowatch mentions --since 24h --type safety --text "no side effects"')
@filter_options()
@format_option
@click.pass_context
def mentions(context: click.Context, /, how: Format, **given: Any) -> None:
    """List mentions, newest first."""
    columns = (
        Column("seen", lambda one: short_time(one.seen_at)),
        Column("id", lambda one: one.id),
        Column("platform", lambda one: one.platform),
        Column("claims", lambda one: ", ".join(dict.fromkeys(f"{c.type} {c.verdict}" for c in one.claims)), long=True),
        Column("text", lambda one: one.text if one.text is not None else f"({one.state})", long=True),
    )
    print_list(context, stored_mentions.page, given, columns, how)


@cli.command(epilog="Example:  exowatch claims --verdict unsupported --verdict contradicted --format csv")
@filter_options("claims")
@format_option
@click.pass_context
def claims(context: click.Context, /, how: Format, **given: Any) -> None:
    """List claims, the latest first seen first."""
    columns = (
        Column("first seen", lambda one: short_time(one.first_seen)),
        Column("id", lambda one: one.id),
        Column("type", lambda one: one.type),
        Column("verdict", lambda one: one.verdict),
        Column("mentions", lambda one: one.mentions),
        Column("authors", lambda one: one.authors),
        Column("claim", lambda one: one.claim, long=True),
    )
    print_list(context, stored_claims.page, given, columns, how, "claims")


@cli.command(epilog="Example:  exowatch alerts --state open --since 7d\n\nexowatch alerts --dry-run --min-confidence 0.7")
@filter_options("alerts")
@dry_run_options
@format_option
@click.pass_context
def alerts(context: click.Context, /, how: Format, dry: bool, **given: Any) -> None:
    """List alerts, newest first; or say what other thresholds and filters would have alerted."""
    if dry:
        show_dry_run(context, given, how)
        return
    columns = (
        Column("raised", lambda one: short_time(one.created_at)),
        Column("id", lambda one: one.id),
        Column("kind", lambda one: one.kind),
        Column("claim", lambda one: one.claim_id),
        Column("summary", lambda one: one.summary, long=True),
    )
    print_list(context, stored_alerts.page, without_dry_run(given), columns, how, "alerts")
