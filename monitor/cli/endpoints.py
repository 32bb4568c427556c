"""`endpoints`: where alerts go, what became of them, and sending again."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from monitor.cli.database import opened
from monitor.cli.group import Commands, cli, settings_of
from monitor.cli.output import Column, Format, format_option, plain, print_page, short_time
from monitor.cli.query import filters_of
from monitor.store import deliveries as stored
from monitor.store import digests
from monitor.words import DELIVERY_STATES, Delivery, Page, now_ms, public_id, stored_id


@cli.group(cls=Commands, epilog="Example:  exowatch endpoints list")
def endpoints() -> None:
    """The endpoints that alerts are delivered to."""


@endpoints.command("list", epilog="Example:  exowatch endpoints list --format json")
@format_option
@click.pass_context
def list_endpoints(context: click.Context, how: Format) -> None:
    """List the configured endpoints and how each is."""
    settings = settings_of(context)

    async def read() -> tuple[Page[Any], dict[str, int]]:
        async with opened(settings) as database, database.read() as connection:
            items = list(await stored.endpoint_statuses(connection, settings.endpoint))
            return Page(items=items, next=None), await digests.waiting(connection)

    page, waiting = asyncio.run(read())

    columns = (
        Column("name", lambda one: one.name),
        Column("kind", lambda one: one.kind),
        Column("state", lambda one: one.state),
        Column("pending", lambda one: one.pending),
        Column("dead", lambda one: one.dead),
        Column("for the digest", lambda one: waiting.get(one.name, 0)),
    )
    print_page(page, columns, how)


@endpoints.command("test", epilog="Example:  exowatch endpoints test case-system")
@click.argument("name")
@click.pass_context
def test(context: click.Context, name: str) -> None:
    """Put a signed test alert on its way to one endpoint; the running daemon sends it."""
    settings = settings_of(context)
    endpoint = next((one for one in settings.endpoint if one.name == name), None)
    if endpoint is None:
        known = ", ".join(one.name for one in settings.endpoint) or "none"
        raise click.ClickException(f"there is no endpoint {plain(name)}; configured: {known}")

    async def put() -> int:
        async with opened(settings) as database, database.write() as connection:
            return await stored.raise_test(connection, endpoint)

    delivery = public_id("d", asyncio.run(put()))
    print(f"{delivery} is on its way; see what became of it with `exowatch endpoints deliveries --endpoint {name}`")


@endpoints.command("deliveries", epilog="Example:  exowatch endpoints deliveries --state dead --since 7d")
@click.option("--endpoint", help="Only deliveries to this endpoint.")
@click.option("--state", type=click.Choice(DELIVERY_STATES), help="Only deliveries in this state.")
@click.option("--since", help="Made since: a duration back from now (24h, 7d) or a time.")
@click.option("--until", help="Made before: a duration back from now or a time.")
@click.option("--limit", help="How many at most (default 50, at most 500).")
@click.option("--cursor", help="Go on where another list ended.")
@format_option
@click.pass_context
def deliveries(context: click.Context, /, endpoint: str | None, state: Any, how: Format, **given: Any) -> None:
    """List deliveries with their attempts, newest first."""
    filters = filters_of(given)

    async def read() -> Page[Delivery]:
        async with opened(settings_of(context)) as database, database.read() as connection:
            return await stored.page(connection, filters, endpoint=endpoint, state=state)

    def last(one: Delivery) -> str:
        if not one.attempts:
            return ""
        attempt = one.attempts[-1]
        return f"{short_time(attempt.at)} {attempt.status or ''} {attempt.error or ''} {attempt.ms} ms"

    columns = (
        Column("id", lambda one: one.id),
        Column("alert", lambda one: one.alert_id),
        Column("endpoint", lambda one: one.endpoint),
        Column("state", lambda one: one.state),
        Column("attempts", lambda one: len(one.attempts)),
        Column("last attempt", last, long=True),
    )
    print_page(asyncio.run(read()), columns, how)


@endpoints.command("redeliver", epilog="Example:  exowatch endpoints redeliver d_03cqv8n0h5t2x")
@click.argument("delivery_id", metavar="DELIVERY")
@click.pass_context
def redeliver(context: click.Context, delivery_id: str) -> None:
    """Send a dead or delivered delivery once more; the running daemon does it."""
    number = stored_id("d", delivery_id)

    async def put() -> Delivery | None:
        async with opened(settings_of(context)) as database, database.write() as connection:
            return None if number is None else await stored.redeliver(connection, number, now_ms())

    if asyncio.run(put()) is None:
        raise click.ClickException(f"there is no delivery {plain(delivery_id)}; `exowatch endpoints deliveries` lists them")
    print(f"{delivery_id} is on its way again")
