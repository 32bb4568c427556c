"""`mention`: one mention with its judgement."""

from __future__ import annotations

import asyncio

import click

from monitor.cli.database import opened
from monitor.cli.group import cli, settings_of
from monitor.cli.output import Column, plain, print_json, print_table, short_time
from monitor.settings import Settings
from monitor.store import mentions
from monitor.words import Mention

_COLUMNS = (
    Column("claim", lambda one: one.claim_id),
    Column("type", lambda one: one.type),
    Column("verdict", lambda one: one.verdict),
    Column("stance", lambda one: one.stance + (", at a distance" if one.distance else "")),
    Column("confidence", lambda one: f"{one.confidence:.2f}"),
    Column("quote", lambda one: one.quote, long=True),
    Column("why", lambda one: one.why, long=True),
)


@cli.command(epilog="Example:  exowatch mention reddit:t3_abc123")
@click.argument("mention_id", metavar="ID")
@click.option(
    "--format", "how", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print it."
)
@click.pass_context
def mention(context: click.Context, mention_id: str, how: str) -> None:
    """Show one mention: where and when it was heard, its claims, and by which versions it was judged."""
    found = asyncio.run(_find(settings_of(context), mention_id))
    if found is None:
        raise click.ClickException(f"there is no mention {plain(mention_id)[:80]}; `exowatch mentions` lists them")
    if how == "json":
        print_json(found)
    else:
        _print(found)


async def _find(settings: Settings, mention_id: str) -> Mention | None:
    async with opened(settings) as database, database.read() as connection:
        return await mentions.find(connection, mention_id)


def _print(one: Mention) -> None:
    print(plain(f"{one.id}  {one.platform}:{one.platform_id}  {one.url or ''}"))
    heard = f"Heard {short_time(one.seen_at)} UTC" + (f" from the source {one.source}" if one.source else "")
    print(plain(heard + (f", by {one.author}" if one.author else "") + (f", in {one.language}" if one.language else "")))
    edited = f" {short_time(one.edited_at)} UTC" if one.edited_at else ""
    print(f"State: {one.state}{edited}, alert {_yes(one.alert)}, harm {_yes(one.adverse_event)}")
    print(plain(f"Judged by: classifier {one.classifier}, register {one.register}"))
    if one.watch:
        print(plain(f"Watched names: {', '.join(one.watch)}"))
    print("\nText")
    print(plain(one.text, keep_lines=True) if one.text is not None else "none is kept any more")
    print("\nClaims")
    print_table(one.claims, _COLUMNS)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
