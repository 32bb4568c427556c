"""How the endpoints are: written after every attempt at a delivery, read by whoever asks.

A disabled endpoint is sent nothing. It is enabled again when a sender starts (the operator's way of saying that it is mended)
and when somebody sends to it by hand: a test, or a delivery again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, case, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.settings.endpoint import Endpoint
from monitor.store.filters import Filters, make_cursor, position
from monitor.store.tables import delivery, endpoint
from monitor.store.upsert import upsert
from monitor.words import EndpointStatus, Page

_MAX_REASON = 500


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an endpoint may be sent to. `held_until_ms`: its receiver asked to be left alone until then (0: it did not).

    `spent_until_ms`: up to when its rate is used up.
    """

    disabled: bool = False
    held_until_ms: int = 0
    spent_until_ms: float = 0.0


async def register(connection: AsyncConnection, names: Sequence[str]) -> None:
    """Makes a row for each endpoint that has none."""
    for name in sorted(names):
        await connection.execute(upsert(connection, endpoint).values(name=name, state="ok").on_conflict_do_nothing())


async def declare(connection: AsyncConnection, names: Sequence[str]) -> None:
    """Makes a row for each endpoint that has none, and enables those that were disabled."""
    await register(connection, names)
    for name in sorted(names):
        await enable(connection, name)


async def enable(connection: AsyncConnection, name: str) -> None:
    """Lets a disabled endpoint be sent to again; any other stays as it is."""
    await connection.execute(
        update(endpoint)
        .where(endpoint.c.name == name, endpoint.c.state == "disabled")
        .values(state="ok", reason=None, failures=0, failing_since_ms=None, held_until_ms=None)
    )


async def succeeded(connection: AsyncConnection, name: str, at_ms: int) -> None:
    """Notes a delivery that arrived. A disabled endpoint stays disabled: the delivery was on its way before."""
    await connection.execute(
        update(endpoint)
        .where(endpoint.c.name == name, endpoint.c.state != "disabled")
        .values(state="ok", reason=None, failures=0, failing_since_ms=None, last_success_ms=at_ms)
    )


async def failed(connection: AsyncConnection, name: str, reason: str, at_ms: int, hold_ms: int = 0) -> int | None:
    """Notes an attempt that failed, in the words for the operator; since when none succeeded (ms), None where it is disabled.

    `hold_ms`: until when the receiver asked to be left alone (0: it did not). A longer hold than that stays.
    """
    held = endpoint.c.held_until_ms
    failing = await connection.execute(
        update(endpoint)
        .where(endpoint.c.name == name, endpoint.c.state != "disabled")
        .values(
            state="failing",
            reason=reason[:_MAX_REASON],
            failures=endpoint.c.failures + 1,
            failing_since_ms=func.coalesce(endpoint.c.failing_since_ms, at_ms),
            **({"held_until_ms": case((held > hold_ms, held), else_=hold_ms)} if hold_ms else {}),
        )
        .returning(endpoint.c.failing_since_ms)
    )
    since: int | None = failing.scalar()
    return since


async def disable(connection: AsyncConnection, name: str, reason: str) -> bool:
    """Stops all sending to an endpoint. False where it was disabled already."""
    changed = await connection.execute(
        update(endpoint)
        .where(endpoint.c.name == name, endpoint.c.state != "disabled")
        .values(state="disabled", reason=reason[:_MAX_REASON], failures=endpoint.c.failures + 1)
        .returning(endpoint.c.name)
    )
    return changed.first() is not None


_STANDING = select(endpoint.c.state == "disabled", endpoint.c.held_until_ms, endpoint.c.spent_until_ms).where(
    endpoint.c.name == bindparam("name")
)


async def standing(connection: AsyncConnection, name: str) -> Standing:
    """Whether an endpoint may be sent to."""
    row = (await connection.execute(_STANDING, {"name": name})).one_or_none()
    if row is None:
        return Standing()
    disabled, held_until_ms, spent_until_ms = row
    return Standing(disabled=bool(disabled), held_until_ms=held_until_ms or 0, spent_until_ms=spent_until_ms)


async def held(connection: AsyncConnection, now: int) -> dict[str, int]:
    """The endpoints that are sent nothing because their receivers asked to be left alone at `now` (ms), and until when (ms)."""
    rows = await connection.execute(select(endpoint.c.name, endpoint.c.held_until_ms).where(endpoint.c.held_until_ms > now))
    return {row.name: row.held_until_ms for row in rows}


async def last_delivered(connection: AsyncConnection) -> dict[str, int]:
    """When (ms) a delivery to an endpoint last arrived, of those to which one ever did."""
    rows = await connection.execute(
        select(endpoint.c.name, endpoint.c.last_success_ms).where(endpoint.c.last_success_ms.is_not(None))
    )
    return {row.name: row.last_success_ms for row in rows}


async def spent_until(connection: AsyncConnection, name: str) -> float:
    """Up to when (ms) an endpoint's rate is used up. Whoever else would spend of it waits until this transaction ends."""
    spent = await connection.execute(select(endpoint.c.spent_until_ms).where(endpoint.c.name == name).with_for_update())
    return float(spent.scalar() or 0.0)


async def spend_until(connection: AsyncConnection, name: str, until_ms: float) -> None:
    """Notes up to when an endpoint's rate is used up now."""
    await connection.execute(update(endpoint).where(endpoint.c.name == name).values(spent_until_ms=until_ms))


async def reasons(connection: AsyncConnection) -> dict[str, str]:
    """Why endpoints are failing or disabled, by name, in the words for the operator."""
    rows = await connection.execute(select(endpoint.c.name, endpoint.c.reason).where(endpoint.c.reason.is_not(None)))
    return {row.name: row.reason for row in rows}


async def page(connection: AsyncConnection, configured: Sequence[Endpoint], filters: Filters) -> Page[EndpointStatus]:
    """A page of the configured endpoints, in their order. Raises FilterError for a cursor of another list."""
    start = position(filters)
    end = start + filters.limit
    items = await endpoint_statuses(connection, configured[start:end])
    return Page(items=items, next=make_cursor(end) if end < len(configured) else None)


async def endpoint_statuses(connection: AsyncConnection, configured: Sequence[Endpoint]) -> list[EndpointStatus]:
    """Every configured endpoint as users read it, in that order; one that was never sent to is ok."""
    names = [one.name for one in configured]
    known = await connection.execute(select(endpoint.c.name, endpoint.c.state).where(endpoint.c.name.in_(names)))
    states = {row.name: row.state for row in known}
    counted: dict[str, dict[str, int]] = {}
    for state in ("pending", "dead"):  # one by one and spelt out, so that each is read from its own partial index
        rows = await connection.execute(
            select(delivery.c.endpoint, func.count().label("number"))
            .where(delivery.c.endpoint.in_(names), delivery.c.state == literal_column(f"'{state}'"))
            .group_by(delivery.c.endpoint)
        )
        counted[state] = {row.endpoint: row.number for row in rows}
    return [
        EndpointStatus(
            name=one.name,
            kind=one.kind,
            state=states.get(one.name, "ok"),
            pending=counted["pending"].get(one.name, 0),
            dead=counted["dead"].get(one.name, 0),
        )
        for one in configured
    ]
