"""Deliveries that wait for an earlier one of their claim: kept out of the way of those who look for what is due.

Nothing may be sent before the earlier one is over, and whoever takes deliveries makes sure of that himself (`deliveries`). But
what is due and may not be sent is passed over at each look, and behind an endpoint that is down there can be very much of it. So
what follows a delivery that failed is due when that is tried again, and no sooner. That is all: it is never due later than the
one before it, but where that is over before its time, which `release` is for.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, bindparam, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.tables import alert, delivery

# No lease lasts so long, whoever's clock it was taken by: what was never tried and is due later than this waits behind another.
SURELY_NO_LEASE_MS = 120_000

_PENDING: ColumnElement[bool] = delivery.c.state == literal_column("'pending'")
_MINE, _LATER = alert.alias("mine"), alert.alias("later")
# Asked for by the claim's alerts alone, which are few, and only then whether they are pending and due: asked for both together
# SQLite would walk through all that is due.
_FOLLOWERS = (
    select(delivery.c.id)
    .join_from(_MINE, _LATER, (_LATER.c.claim_id == _MINE.c.claim_id) & (_LATER.c.id > _MINE.c.id))
    .join(delivery, (delivery.c.alert_id == _LATER.c.id) & (delivery.c.endpoint == bindparam("at")))
    .where(_MINE.c.id == bindparam("alert"))
)
_OF_CLAIMS = (
    select(delivery.c.id)
    .join_from(alert, delivery, delivery.c.alert_id == alert.c.id)
    .where(alert.c.claim_id.in_(bindparam("claims", expanding=True)))
)
_DUE = delivery.c.next_ms <= bindparam("now")  # not those with a later time of their own, nor what a sender has in hand
_WAITING = (delivery.c.tries == 0, delivery.c.next_ms > bindparam("leased"))
_PUT_OFF = update(delivery).where(delivery.c.id.in_(_FOLLOWERS), _PENDING, _DUE).values(next_ms=bindparam("until"))
_RELEASE = update(delivery).where(delivery.c.id.in_(_OF_CLAIMS), _PENDING, *_WAITING).values(next_ms=0)
_RELEASE_FOLLOWERS = update(delivery).where(delivery.c.id.in_(_FOLLOWERS), _PENDING, *_WAITING).values(next_ms=0)
_BEHIND = (
    select(_LATER.c.id, delivery.c.endpoint, func.max(delivery.c.next_ms))
    .join_from(_LATER, _MINE, (_LATER.c.claim_id == _MINE.c.claim_id) & (_LATER.c.id > _MINE.c.id))
    .join(delivery, delivery.c.alert_id == _MINE.c.id)
    .where(_LATER.c.id.in_(bindparam("alerts", expanding=True)), _PENDING, delivery.c.next_ms > bindparam("leased"))
    .group_by(_LATER.c.id, delivery.c.endpoint)
)


async def put_off(connection: AsyncConnection, alert_number: int, endpoint: str, now: int, until: int) -> None:
    """What follows this alert at the endpoint, and was due at `now`, is due at `until` (ms): when this one is tried again."""
    await connection.execute(_PUT_OFF, {"alert": alert_number, "at": endpoint, "now": now, "until": until})


async def behind(connection: AsyncConnection, alert_numbers: Sequence[int], now: int) -> dict[tuple[int, str], int]:
    """When new alerts can go out at the earliest (ms), by (alert id, endpoint), where an earlier one of their claim waits."""
    rows = await connection.execute(_BEHIND, {"alerts": alert_numbers, "leased": now + SURELY_NO_LEASE_MS})
    return {(number, endpoint): until for number, endpoint, until in rows}


async def release(connection: AsyncConnection, claim_ids: Sequence[str], now: int) -> None:
    """Alerts of these claims were given to others: who follows whom is to be seen anew."""
    await connection.execute(_RELEASE, {"claims": claim_ids, "leased": now + SURELY_NO_LEASE_MS})


async def release_followers(connection: AsyncConnection, alert_number: int, endpoint: str, now: int) -> None:
    """This alert has arrived before it was to be tried again, so what follows it need not wait until then."""
    await connection.execute(_RELEASE_FOLLOWERS, {"alert": alert_number, "at": endpoint, "leased": now + SURELY_NO_LEASE_MS})
