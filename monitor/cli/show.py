"""`claim`: one claim with all that belongs to it."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from monitor.cli.database import opened
from monitor.cli.group import cli, settings_of
from monitor.cli.lineage import print_lineage, print_timeline
from monitor.cli.output import Column, plain, print_json, print_table, short_time
from monitor.store import Filters
from monitor.store import detail as stored
from monitor.store.detail import ClaimDetail

_OCCURRENCES = 50


@cli.command(epilog="Example:  exowatch claim c_06h4a0xq7m2kz")
@click.argument("claim_id", metavar="ID")
@click.option(
    "--format", "how", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print it."
)
@click.pass_context
def claim(context: click.Context, claim_id: str, how: str) -> None:
    """Show one claim: its verdict and evidence, its days, where it came from, where it was said, what was alerted."""
    found = asyncio.run(_find(context, claim_id))
    if found is None:
        raise click.ClickException(f"there is no claim {plain(claim_id)}; `exowatch claims` lists them")
    if how == "json":
        print_json(found)
    else:
        _print(found)


async def _find(context: click.Context, claim_id: str) -> ClaimDetail | None:
    async with opened(settings_of(context)) as database, database.read() as connection:
        return await stored.find(connection, claim_id, Filters(limit=_OCCURRENCES))


def _print(one: ClaimDetail) -> None:
    platforms = ", ".join(f"{name} {count}" for name, count in one.platforms.items())
    verdicts = ", ".join(f"{place} {verdict}" for place, verdict in one.verdicts.items())
    print(plain(one.claim))
    print(f"{one.id}  {one.type}  {one.verdict} ({one.basis})  {one.state}")
    if verdicts:
        print(f"Verdicts: {plain(verdicts)}")
    print(f"Seen: {short_time(one.first_seen)} to {short_time(one.last_seen)} UTC")
    print(plain(f"Spread: {one.mentions} mentions by {one.authors} authors" + (f" on {platforms}" if platforms else "")))
    _section("Evidence")
    for entry in one.evidence:
        print(plain(f"- [{entry.id}] {entry.citation} {entry.url or ''}"))
    if not one.evidence:
        print("none on record: unsupported by the burden of proof" if one.basis == "burden of proof" else "none on record")
    _section("Timeline")
    print_timeline(one.timeline)
    _section("Lineage")
    print_lineage(one.lineage, one.watch)
    _section("Occurrences")
    print_table(one.occurrences.items, _OCCURRENCE_COLUMNS)
    if one.occurrences.next is not None:
        print(f"The rest: exowatch mentions --claim {one.id} --cursor {one.occurrences.next}")
    _section("Alerts")
    for alert in one.alerts.items:
        print(plain(f"{short_time(alert.created_at)}  {alert.id}  {alert.kind}  {alert.summary}"))
    if not one.alerts.items:
        print("none")


def _quote(one: Any) -> str:
    return one.quote or f"({one.state})"


_OCCURRENCE_COLUMNS = (
    Column("seen", lambda one: short_time(one.seen_at)),
    Column("mention", lambda one: one.mention_id),
    Column("platform", lambda one: one.platform),
    Column("stance", lambda one: one.stance + (", at a distance" if one.distance else "")),
    Column("quote", _quote, long=True),
    Column("link", lambda one: one.url, long=True),
)


def _section(title: str) -> None:
    print(f"\n{title}")
