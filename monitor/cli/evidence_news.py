"""`evidence news`: what is new on record elsewhere, for who keeps the register."""

from __future__ import annotations

from typing import Any

import click

import monitor.cli.evidence_history  # noqa: F401 - whose commands stand beside this one
from monitor.cli.evidence import evidence
from monitor.cli.output import Column, Format, format_option, short_time
from monitor.cli.query import print_list
from monitor.store import news as stored_news


@evidence.command("news", epilog="Example:  exowatch evidence news --since 30d")
@click.option("--since", help="Heard since: a duration back from now (24h, 7d) or a time.")
@click.option("--until", help="Heard before: a duration back from now or a time.")
@click.option("--source", multiple=True, help="Name of a source.")
@click.option("--limit", help="How many at most (default 50, at most 500).")
@click.option("--cursor", help="Go on where another list ended.")
@format_option
@click.pass_context
def news(context: click.Context, /, how: Format, **given: Any) -> None:
    """List new trials, papers, retractions, warning letters and recalls on the topic, the latest first, and which entries of the
    register cite them. They are never judged as claims.
    """
    columns = (
        Column("seen", lambda one: short_time(one.seen_at)),
        Column("register", lambda one: one.register),
        Column("id", lambda one: one.item),
        Column("kind", lambda one: one.kind),
        Column("state", lambda one: one.state),
        Column("cited by", lambda one: ", ".join(one.entries)),
        Column("title", lambda one: one.title, long=True),
    )
    print_list(context, stored_news.page, given, columns, how)
