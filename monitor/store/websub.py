"""Subscriptions at the hubs of feeds (WebSub): what was asked for, what the hub confirmed, and what it pushed until it is read.

A collector says which hub its feed names (`want`), one job asks the hubs (`due`, `asking`), and the callback, which may run in
another process, notes what they answer (`confirmed`, `denied`) and send (`pushed`).
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.outbox import new_number
from monitor.store.source_tables import websub, websub_push
from monitor.times import now_ms

State = Literal["asked", "subscribed", "denied", "leaving"]

MAX_WAITING = 50  # pushes of one source that are not read yet; each is at most as long as a request may be
KEPT_MS = 86_400_000  # of a push that nobody reads
RENEW_AT = 0.8  # of a lease
LONGEST_LEASE_S = 30 * 86_400
AFTER_DENIAL_S = 86_400
AFTER_NO_ANSWER_S = 600  # doubled at each further try
LONGEST_BREAK_S = 86_400
LEAVE_TRIES = 3


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription as it is stored; the table says what each field holds."""

    token: str
    source: str
    hub: str
    topic: str
    callback: str
    private: bool
    secret: str
    state: State
    attempts: int
    next_ms: int
    until_ms: int | None


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """What a hub sent, as it came."""

    id: int
    content_type: str
    body: bytes


async def want(connection: AsyncConnection, source: str, hub: str, topic: str, public_url: str, *, private: bool) -> None:
    """Sees to it that the source is subscribed there, under a callback below `public_url`, and nowhere else."""
    wanted = {"hub": hub, "topic": topic, "private": private}
    for row in await _of(connection, source):
        same = {"hub": row.hub, "topic": row.topic, "private": row.private} == wanted
        if row.state != "leaving" and same and row.callback == f"{public_url}/websub/{row.token}":
            return
    await leave(connection, source)
    token = secrets.token_hex(16)
    values = wanted | {"source": source, "token": token, "callback": f"{public_url}/websub/{token}", "state": "asked"}
    await connection.execute(insert(websub).values(**values, secret=secrets.token_hex(32), next_ms=now_ms()))


async def leave(connection: AsyncConnection, source: str) -> None:
    """Sees to it that the source's subscriptions are given up."""
    await _leave(connection, websub.c.source == source)


async def leave_others(connection: AsyncConnection, sources: Collection[str]) -> None:
    """The same for all sources but these, with what was pushed of them and nobody will read."""
    await _leave(connection, websub.c.source.not_in(sources))
    await connection.execute(delete(websub_push).where(websub_push.c.source.not_in(sources)))


async def subscribed(connection: AsyncConnection, source: str, now: int | None = None) -> bool:
    """Whether a hub has confirmed that it pushes, and its lease has not run out."""
    at = now_ms() if now is None else now
    return any(row.state == "subscribed" and (row.until_ms or 0) > at for row in await _of(connection, source))


async def due(connection: AsyncConnection, now: int | None = None) -> list[Subscription]:
    """Those whose hub is to be asked now."""
    at = now_ms() if now is None else now
    rows = await connection.execute(select(websub).where(websub.c.next_ms <= at).order_by(websub.c.next_ms).limit(100))
    return [_subscription(row) for row in rows]


async def asking(connection: AsyncConnection, one: Subscription, now: int | None = None) -> bool:
    """Notes that the hub is asked, before it is, since it may answer at once. False: somebody else does, or it is over."""
    at = now_ms() if now is None else now
    if one.state == "leaving" and one.attempts >= LEAVE_TRIES:
        await connection.execute(delete(websub).where(websub.c.token == one.token))  # the lease will end by itself
        return False
    after_s = min(AFTER_NO_ANSWER_S * 2 ** min(one.attempts, 12), LONGEST_BREAK_S)
    values: dict[str, Any] = {"attempts": one.attempts + 1, "next_ms": at + after_s * 1000}
    if one.state == "denied":
        values["state"] = "asked"
    mine = (websub.c.token == one.token, websub.c.next_ms == one.next_ms)
    return bool((await connection.execute(update(websub).where(*mine).values(**values))).rowcount)


async def ask_later(connection: AsyncConnection, token: str, seconds: float, now: int | None = None) -> None:
    """Does not ask the hub again before so many seconds have passed."""
    at = now_ms() if now is None else now
    then = at + round(seconds * 1000)
    await connection.execute(update(websub).where(websub.c.token == token, websub.c.next_ms < then).values(next_ms=then))


async def find(connection: AsyncConnection, token: str) -> Subscription | None:
    """The subscription with that callback."""
    row = (await connection.execute(select(websub).where(websub.c.token == token))).one_or_none()
    return None if row is None else _subscription(row)


async def confirmed(connection: AsyncConnection, one: Subscription, lease_s: float, now: int | None = None) -> None:
    """Notes that the hub pushes from now on, for `lease_s` seconds. It is asked to go on well before they are over."""
    at = now_ms() if now is None else now
    lease_s = min(max(lease_s, 1.0), LONGEST_LEASE_S)
    values: dict[str, Any] = {"state": "subscribed", "attempts": 0, "until_ms": at + round(lease_s * 1000)}
    values["next_ms"] = at + round(lease_s * RENEW_AT * 1000)
    await connection.execute(update(websub).where(websub.c.token == one.token, websub.c.state != "leaving").values(**values))


async def ended(connection: AsyncConnection, one: Subscription) -> None:
    """Notes that the hub has confirmed the end."""
    await connection.execute(delete(websub).where(websub.c.token == one.token))


async def denied(connection: AsyncConnection, one: Subscription, now: int | None = None) -> None:
    """Notes that the hub will not push. It is asked again after a day."""
    at = now_ms() if now is None else now
    values: dict[str, Any] = {"state": "denied", "until_ms": None, "next_ms": at + AFTER_DENIAL_S * 1000}
    await connection.execute(update(websub).where(websub.c.token == one.token, websub.c.state != "leaving").values(**values))


async def pushed(connection: AsyncConnection, source: str, content_type: str, body: bytes) -> bool:
    """Keeps a push until it is read. False: so many wait already that it has to come again later."""
    count = select(func.count()).select_from(websub_push).where(websub_push.c.source == source)
    if (await connection.execute(count)).scalar_one() >= MAX_WAITING:
        return False
    values: Mapping[str, Any] = {"id": new_number(), "source": source, "content_type": content_type[:200], "body": body}
    await connection.execute(insert(websub_push).values(**values))
    return True


async def forget_unread(connection: AsyncConnection) -> None:
    """Lets go of pushes that nobody has read within a day: they name authors as they are."""
    await connection.execute(delete(websub_push).where(websub_push.c.id < (now_ms() - KEPT_MS) << 21))


async def next_push(connection: AsyncConnection, source: str) -> Push | None:
    """The oldest push of the source that is not read yet."""
    query = select(websub_push).where(websub_push.c.source == source).order_by(websub_push.c.id).limit(1)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else Push(id=row.id, content_type=row.content_type, body=row.body)


async def read(connection: AsyncConnection, push: Push) -> None:
    """Lets go of a push that was read."""
    await connection.execute(delete(websub_push).where(websub_push.c.id == push.id))


async def _of(connection: AsyncConnection, source: str) -> list[Subscription]:
    return [_subscription(row) for row in await connection.execute(select(websub).where(websub.c.source == source))]


async def _leave(connection: AsyncConnection, which: Any) -> None:
    values: dict[str, Any] = {"state": "leaving", "attempts": 0, "next_ms": now_ms()}
    await connection.execute(update(websub).where(which, websub.c.state != "leaving").values(**values))


def _subscription(row: Any) -> Subscription:
    return Subscription(**row._asdict())
