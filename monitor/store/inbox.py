"""The inbox: alerts as work to be done. Who has one in hand and whether it is done stands at the alert; all that was said stays.

An alert is open until somebody says that it is done, and belongs to nobody until somebody is named. To handle an alert changes
nothing about its claim: that is what reviews do (`reviews`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.alerts import alert_of, rows_of_page
from monitor.store.filters import AlertState, Filters
from monitor.store.outbox import new_number
from monitor.store.tables import alert, alert_review
from monitor.times import now_ms, rfc3339
from monitor.words import Alert, Page

Handling = Literal["assign", "release", "done", "reopen"]
HANDLINGS: tuple[Handling, ...] = get_args(Handling)
MAX_NAME = 100  # characters of a name
MAX_NOTE = 2_000
MAX_COUNTED = 1_000  # open alerts; what is more is `1,000` too
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class InboxError(Exception):
    """An alert cannot be handled so; the text says why and what to do."""


class Handled(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done with an alert. `assignee` is whom it was given to."""

    at: str
    action: Handling
    reviewer: str
    assignee: str | None
    note: str | None


class Task(Alert, frozen=True, kw_only=True):
    """An alert as it stands in the inbox, and what was done with it, the oldest first."""

    state: AlertState
    assignee: str | None
    handled: tuple[Handled, ...]


async def page(connection: AsyncConnection, filters: Filters) -> Page[Task]:
    """The alerts that pass the filters, as in `alerts.page`, newest first. Raises FilterError for a cursor of another list."""
    rows, following = await rows_of_page(connection, filters)
    return Page(items=await _tasks(connection, rows), next=following)


async def handle(
    connection: AsyncConnection, number: int, action: Handling, reviewer: str, *, assignee: str = "", note: str = ""
) -> Task | None:
    """Assigns an alert to somebody, takes it out of all hands, says that it is done or that it is open again.

    None where there is no alert with this stored id. Raises InboxError.
    """
    reviewer, assignee, note = (_line(text) for text in (reviewer, assignee, note))
    if not 1 <= len(reviewer) <= MAX_NAME:
        raise InboxError(f"the name of who says so has 1 to {MAX_NAME} characters")
    if action == "assign" and not 1 <= len(assignee) <= MAX_NAME:
        raise InboxError(f"say in 1 to {MAX_NAME} characters who is to look at it")
    if len(note) > MAX_NOTE:
        raise InboxError(f"a note has at most {MAX_NOTE:,} characters, and this one has {len(note):,}")
    changes: dict[Handling, dict[str, Any]] = {
        "assign": {"assignee": assignee},
        "release": {"assignee": None},
        "done": {"state": "done"},
        "reopen": {"state": "open"},
    }
    changed = update(alert).where(alert.c.id == number).values(changes[action]).returning(alert.c.id)
    if (await connection.execute(changed)).first() is None:
        return None
    await connection.execute(
        insert(alert_review).values(
            id=new_number(),
            alert_id=number,
            at_ms=now_ms(),
            action=action,
            reviewer=reviewer,
            assignee=assignee if action == "assign" else None,
            note=note or None,
        )
    )
    rows = list(await connection.execute(select(alert).where(alert.c.id == number)))
    return (await _tasks(connection, rows))[0]


async def open_of_claim(connection: AsyncConnection, claim_id: str) -> list[int]:
    """The stored ids of the open alerts about a claim, the oldest first."""
    query = select(alert.c.id).where(alert.c.claim_id == claim_id, alert.c.state == "open").order_by(alert.c.id)
    return list((await connection.execute(query)).scalars())


async def count_open(connection: AsyncConnection) -> int:
    """How many alerts are open, at most MAX_COUNTED."""
    some = select(alert.c.id).where(alert.c.state == "open").limit(MAX_COUNTED).subquery()
    return int((await connection.execute(select(func.count()).select_from(some))).scalar_one())


async def people(connection: AsyncConnection) -> list[str]:
    """Whom open alerts are assigned to, by name."""
    query = select(alert.c.assignee).where(alert.c.state == "open", alert.c.assignee.is_not(None)).distinct()
    return sorted((await connection.execute(query.limit(200))).scalars())


async def _tasks(connection: AsyncConnection, rows: Sequence[Any]) -> list[Task]:
    numbers = [row.id for row in rows]
    said: dict[int, tuple[Handled, ...]] = {}
    query = select(alert_review).where(alert_review.c.alert_id.in_(numbers)).order_by(alert_review.c.id)
    for row in await connection.execute(query):
        one = Handled(at=rfc3339(row.at_ms), action=row.action, reviewer=row.reviewer, assignee=row.assignee, note=row.note)
        said[row.alert_id] = (*said.get(row.alert_id, ()), one)
    return [
        Task(
            **msgspec.structs.asdict(alert_of(row)),
            state=row.state,
            assignee=row.assignee,
            handled=said.get(row.id, ()),
        )
        for row in rows
    ]


def _line(text: str) -> str:
    """A text on one line, without what would steer a terminal or the direction of what follows."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())
