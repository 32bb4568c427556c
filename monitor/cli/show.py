"""`claim`: one claim with all that belongs to it, and what a person has to say of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from monitor.cli.database import opened
from monitor.cli.group import cli, settings_of
from monitor.cli.lineage import print_lineage, print_timeline
from monitor.cli.output import Column, counted, plain, print_json, print_table, short_time
from monitor.cli.review import print_standing, review, review_line, review_options, standing, unexpected
from monitor.store import Filters
from monitor.store import detail as stored
from monitor.store.detail import ClaimDetail, Place
from monitor.store.reviewing import ReviewRequest
from monitor.store.reviews import ACTIONS
from monitor.words import Page

_OCCURRENCES = 50


@cli.command(
    epilog='Example:  exowatch claim c_06h4a0xq7m2kz dismiss --note "a joke"',
    context_settings={"allow_extra_args": True},  # to say which option a word is missing
)
@click.argument("claim_id", metavar="ID")
@click.argument("action", metavar="[ACTION]", type=click.Choice(ACTIONS), required=False)
@review_options
@click.option("--why", is_flag=True, help="Show in full why each occurrence is of this claim (--mention chooses some).")
@click.option(
    "--format", "how", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print it."
)
@click.pass_context
def claim(context: click.Context, /, claim_id: str, action: Any, why: bool, how: str, **given: Any) -> None:
    """Show one claim: its verdict and evidence, its days, where it came from, where it was said, what was told of it.

    With an action, review it: confirm (also only what some mentions say, --mention), dismiss, reopen, mute (--for or --until),
    unmute, merge (--into), unmerge (with the id that was merged), split (--mention, --as), note (--note).
    """
    if context.args:
        raise click.UsageError(unexpected(action, context.args[0]), context)
    if action is not None:
        if why:
            raise click.UsageError("--why shows a claim and takes no action", context)
        asked = ReviewRequest(action=action, mentions=list(given.pop("mentions")), claim=given.pop("sentence"), **given)
        done, now = review(context, claim_id, asked)
        if how == "json":
            print_json(now)
        else:
            print(done)
            print_standing(now)
            if now.warning is not msgspec.UNSET:
                print(plain(f"Warning: {now.warning}."))
        return
    chosen = given.pop("mentions") if why else ()
    if any(given.values()):
        raise click.UsageError(f"these options go with an action: {', '.join(ACTIONS)}", context)
    found = asyncio.run(_find(context, claim_id, chosen))
    if found is None:
        raise click.ClickException(f"there is no claim {plain(claim_id)}; `exowatch claims` lists them")
    if chosen and not found.occurrences.items:
        raise click.ClickException(f"these mentions do not carry it; `exowatch mentions --claim {found.id}` lists those that do")
    if how == "json":
        print_json(found)
    elif why:
        _print_why(found)
    else:
        _print(found)


async def _find(context: click.Context, claim_id: str, mentions: Sequence[str]) -> ClaimDetail | None:
    """The claim with its latest occurrences, or with those in these mentions where some are named."""
    async with opened(settings_of(context)) as database, database.read() as connection:
        found = await stored.find(connection, claim_id, Filters(limit=_OCCURRENCES))
        if found is not None and mentions:
            places = await stored.places_in(connection, claim_id, mentions)
            found = msgspec.structs.replace(found, occurrences=Page(items=places, next=None))
        return found


def _print_why(one: ClaimDetail) -> None:
    """What the occurrences have in common, then each with its words and the sentence on how it was read."""
    print(plain(one.claim))
    if one.proposition is None:
        print(f"{one.id}: mentions that a review put together")
    else:
        number = f", number {one.number}" if one.number else ""
        print(plain(f"{one.id}: whatever is read as {one.proposition}{number}, in any words"))
    for place in one.occurrences.items:
        marks = f"  [{place.joined}]" if place.joined != "sure" else ""
        print(f"\n{place.mention_id}  {plain(place.platform)}  {short_time(place.seen_at)}{marks}")
        print(f"  {plain(_quote(place))}")
        print(f"  {plain(place.why)}")


def _print(one: ClaimDetail) -> None:
    platforms = ", ".join(f"{name} {count}" for name, count in one.platforms.items())
    verdicts = ", ".join(f"{place} {verdict}" for place, verdict in one.verdicts.items())
    print(plain(one.claim))
    print(f"{one.id}  {one.type}  {one.verdict} ({one.basis})  {standing(one)}")
    if verdicts:
        print(f"Verdicts: {plain(verdicts)}")
    print(f"Seen: {short_time(one.first_seen)} to {short_time(one.last_seen)} UTC")
    spread = f"{counted(one.mentions, 'mention')} by {counted(one.authors, 'author')}"
    print(plain(f"Spread: {spread}" + (f" on {platforms}" if platforms else "")))
    if one.doubtful:
        print(f"Doubtful: {counted(one.doubtful, 'occurrence')}; exowatch mentions --claim {one.id} --doubtful lists where")
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
    _section("Reviews")
    for said in one.reviews:
        print(review_line(said))
    if not one.reviews:
        print("none")


def _quote(one: Place) -> str:
    return f"“{one.quote}”" if one.quote else f"({one.state})"


_OCCURRENCE_COLUMNS = (
    Column("seen", lambda one: short_time(one.seen_at)),
    Column("mention", lambda one: one.mention_id),
    Column("platform", lambda one: one.platform),
    Column("stance", lambda one: one.stance + (", at a distance" if one.distance else "")),
    Column("joined", lambda one: "" if one.joined == "sure" else one.joined),
    Column("quote", lambda one: one.quote or f"({one.state})", long=True),
    Column("why", lambda one: one.why, long=True),
    Column("link", lambda one: one.url, long=True),
)


def _section(title: str) -> None:
    print(f"\n{title}")
