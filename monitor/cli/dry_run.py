"""`alerts --dry-run`: what another threshold, or other filters of an endpoint, would have alerted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import click

from monitor.cli.database import opened
from monitor.cli.group import settings_of
from monitor.cli.output import Column, Format, counted, plain, print_json, print_page, short_time
from monitor.store import FilterError
from monitor.store.dry_run import DryRun, dry_run
from monitor.store.dry_terms import NAMES, parse_terms
from monitor.words import Page

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: tuple[tuple[str, bool, str], ...] = (
    ("min-confidence", False, "Dry run: another alerts.min_confidence."),
    ("spreading", True, "Dry run: other numbers of authors than alerts.spreading."),
    ("resurfaced-after", False, "Dry run: another alerts.resurfaced_after, as in 30d."),
    ("endpoint", False, "Dry run: only what this endpoint would be told, by its filters or those that follow."),
    ("events", True, "Dry run: other events of the endpoint (all: any)."),
    ("types", True, "Dry run: other types of the endpoint (all: any)."),
    ("verdicts", True, "Dry run: other verdicts of the endpoint (all: any)."),
    ("platforms", True, "Dry run: other platforms of the endpoint (all: any)."),
    ("endpoint-min-confidence", False, "Dry run: another min_confidence of the endpoint."),
    ("max-per-hour", False, "Dry run: another max_per_hour of the endpoint (all: no budget)."),
)
_OWN = tuple(name.replace("-", "_") for name, _, _ in _OPTIONS)
_COLUMNS = (
    Column("change", lambda one: one.change),
    Column("kind", lambda one: one.kind + (f" {one.authors}" if one.authors else "")),
    Column("heard", lambda one: short_time(one.seen_at)),
    Column("claim", lambda one: one.claim_id),
    Column("mention", lambda one: one.mention_id),
    Column("platform", lambda one: one.platform),
    Column("confidence", lambda one: None if one.confidence is None else f"{one.confidence:.2f}"),
    Column("alert", lambda one: one.alert_id),
    Column("says", lambda one: one.claim, long=True),
)


def dry_run_options(function: F) -> F:
    """Adds --dry-run and what goes with it."""
    for name, repeatable, explained in reversed(_OPTIONS):
        function = click.option(f"--{name}", multiple=repeatable, help=explained)(function)
    explained = "Raise and list nothing: say which alerts the options below would have gained and lost since (30d)."
    return click.option("--dry-run", "dry", is_flag=True, help=explained)(function)


def without_dry_run(given: dict[str, Any]) -> dict[str, Any]:
    """The options of a plain list. Raises UsageError where one of a dry run is among them."""
    for name in _OWN:
        if given.pop(name):
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --dry-run", click.get_current_context())
    return given


def show_dry_run(context: click.Context, given: dict[str, Any], how: Format) -> None:
    """Works the dry run out and prints it. Raises UsageError."""
    for name, value in given.items():
        if value and name not in NAMES:
            raise click.UsageError(f"--{name} does not go with --dry-run; {_instead(name)}", context)
    settings = settings_of(context)
    asked = {name: [value] if isinstance(value, str) else list(value) for name, value in given.items() if value}
    try:
        terms = parse_terms(asked, settings.alerts, settings.endpoint)
    except FilterError as error:
        raise click.UsageError(str(error), context) from None

    async def read() -> DryRun:
        async with opened(settings) as database, database.read() as connection:
            return await dry_run(connection, terms)

    found = asyncio.run(read())
    if how == "json":
        print_json(found)
        return
    if how == "table":
        _print_numbers(found)
    print_page(Page(items=found.items, next=None), _COLUMNS, how)
    left = found.gained + found.lost + found.kept - len(found.items)
    if how == "table" and left:
        print(f"{left} more are left out; --limit shows up to 500")


def _instead(name: str) -> str:
    of_endpoint = f"{name}s"
    return f"--{of_endpoint}, with --endpoint, tries that filter" if of_endpoint in NAMES else "it only narrows a list"


def _print_numbers(found: DryRun) -> None:
    to = f" for {found.endpoint.name}" if found.endpoint else ""
    print(plain(f"{short_time(found.since)} to {short_time(found.until)} UTC, min_confidence {found.min_confidence:g}{to}"))
    for kind, one in (found.kinds or {"claim.new": found}).items():
        numbers = f"{one.kept} kept, {one.gained} gained, {one.lost} lost"
        print(f"{kind}: {one.raised} raised, {one.would_be} would be: {numbers}")
    if found.in_digests:
        print(f"Over the budget: {counted(found.in_digests, 'alert')} in {counted(found.digests, 'digest')}")
    print()
