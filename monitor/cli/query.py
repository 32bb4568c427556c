"""`mentions`, `claims`, `alerts`: the lists, with the filters that HTTP has too."""

from __future__ import annotations

import asyncio
import difflib
import sys
from collections.abc import Awaitable, Callable, Sequence
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
from monitor.store.filters import CHOICES
from monitor.topic import load_watchlist
from monitor.words import CLAIM_STATES, CLAIM_TYPES, STANCES, VERDICTS, Page

F = TypeVar("F", bound=Callable[..., Any])
Lister = Callable[[AsyncConnection, Filters], Awaitable[Page[Any]]]

_FILTERS: tuple[tuple[str, bool, str], ...] = (
    ("since", False, "Heard since: a duration back from now (24h, 7d) or a time."),
    ("until", False, "Heard before: a duration back from now or a time."),
    ("type", True, f"Claim type: {', '.join(CLAIM_TYPES)}."),
    ("verdict", True, f"Verdict: {', '.join(VERDICTS)}."),
    ("stance", True, f"Stance: {', '.join(STANCES)}."),
    ("source", True, "Name of a source."),
    ("platform", True, "Name of a platform."),
    ("text", False, 'All these words; "a phrase"; prefix*.'),
    ("claim", True, "Id of a claim."),
    ("watch", True, "Name on the watchlist."),
    ("limit", False, "How many at most (default 50, at most 500)."),
    ("cursor", False, "Go on where another list ended."),
)


def filter_options(*, of_page: bool = True, of_time: bool = True) -> Callable[[F], F]:
    """Adds the filters of every list, with or without those that choose a page or a time; a repeated one means "or"."""
    without = (() if of_page else ("limit", "cursor")) + (() if of_time else ("since", "until"))

    def add(function: F) -> F:
        for name, repeatable, explained in reversed(_FILTERS):
            if name not in without:
                chosen = _completing(CHOICES.get(name, ()))
                function = click.option(f"--{name}", multiple=repeatable, help=explained, shell_complete=chosen)(function)
        if not of_time:  # what is heard just now is not filtered by it
            return function
        explained = "Joined to a claim as the likeliest, and confirmed by nobody yet."
        return click.option("--doubtful", is_flag=True, help=explained)(function)

    return add


def _completing(choices: Sequence[str]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    return lambda _context, _option, begun: [one for one in choices if one.startswith(begun)]


def state_option(function: F) -> F:
    """Adds --state, which only claims have."""
    explained = f"What people said of it: {', '.join(CLAIM_STATES)}."
    return click.option("--state", multiple=True, help=explained, shell_complete=_completing(CLAIM_STATES))(function)


def filters_of(given: dict[str, Any]) -> Filters:
    """The filters from a command's options. Raises UsageError."""
    try:
        return parse_filters({name: _values(value) for name, value in given.items() if value})
    except FilterError as error:
        raise click.UsageError(str(error), click.get_current_context()) from None


def _values(value: Any) -> list[str]:
    """The values of an option, as a user writes them over HTTP."""
    if value is True:
        return ["true"]
    return [value] if isinstance(value, str) else list(value)


def say_unwatched(settings: Settings, names: Sequence[str]) -> None:
    """Names on stderr what is asked for and not on the watchlist: what was tagged with it when it was is still found."""
    if not names:
        return
    known = load_watchlist(settings.topic_folder, settings.watchlist_file).names
    folded = {name.casefold(): name for name in known}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name.casefold(), folded, n=1)
            meant = f"; did you mean {folded[near[0]]}?" if near else "; names stand in watchlist.yaml of the topic pack"
            print(plain(f"exowatch: {name[:80]} is not on the watchlist{meant}"), file=sys.stderr)


def print_list(context: click.Context, lister: Lister, given: dict[str, Any], columns: Sequence[Column], how: Format) -> None:
    """Reads a list with the filters of a command's options, and prints it. Raises UsageError."""
    filters = filters_of(given)
    settings = settings_of(context)
    say_unwatched(settings, filters.watch)

    async def read() -> Page[Any]:
        async with opened(settings) as database, database.read() as connection:
            return await lister(connection, filters)

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
@filter_options()
@state_option
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
    print_list(context, stored_claims.page, given, columns, how)


@cli.command(epilog="Example:  exowatch alerts --since 7d --format jsonl\n\nexowatch alerts --dry-run --min-confidence 0.7")
@filter_options()
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
    print_list(context, stored_alerts.page, without_dry_run(given), columns, how)
