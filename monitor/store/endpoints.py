"""How the endpoints are: written after every attempt at a delivery, read by whoever asks.

A disabled endpoint is sent nothing. It is enabled again when a sender starts (the operator's way of saying that it is mended)
and when somebody sends to it by hand: a test, or a delivery again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.settings.endpoint import Endpoint
from monitor.store.tables import delivery, endpoint
from monitor.store.upsert import upsert
from monitor.words import EndpointStatus

_MAX_REASON = 500


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
        .values(state="ok", reason=None, failures=0, failing_since_ms=None)
    )


async def succeeded(connection: AsyncConnection, name: str, at_ms: int) -> None:
    """Notes a delivery that arrived. A disabled endpoint stays disabled: the delivery was on its way before."""
    await connection.execute(
        update(endpoint)
        .where(endpoint.c.name == name, endpoint.c.state != "disabled")
        .values(state="ok", reason=None, failures=0, failing_since_ms=None, last_success_ms=at_ms)
    )


async def failed(connection: AsyncConnection, name: str, reason: str, at_ms: int) -> int | None:
    """Notes an attempt that failed, in the words for the operator; since when none succeeded (ms), None where it is disabled."""
    failing = await connection.execute(
        update(endpoint)
        .where(endpoint.c.name == name, endpoint.c.state != "disabled")
        .values(
            state="failing",
            reason=reason[:_MAX_REASON],
            failures=endpoint.c.failures + 1,
            failing_since_ms=func.coalesce(endpoint.c.failing_since_ms, at_ms),
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


async def is_disabled(connection: AsyncConnection, name: str) -> bool:
    """Whether an endpoint is sent nothing."""
    state = await connection.execute(select(endpoint.c.state).where(endpoint.c.name == name))
    return state.scalar() == "disabled"


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
