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

from monitor.store.alerts import alert_of, matching
from monitor.store.filters import Filters, make_cursor, number_range
from monitor.store.merged import of_present
from monitor.store.outbox import new_number
from monitor.store.search import first_saying
from monitor.store.tables import alert, alert_review
from monitor.words import Alert, Page, now_ms, rfc3339

Handling = Literal["assign", "release", "done", "reopen"]
HANDLINGS: tuple[Handling, ...] = get_args(Handling)
State = Literal["open", "done"]
STATES: tuple[State, ...] = get_args(State)
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

    state: State
    assignee: str | None
    handled: tuple[Handled, ...]


async def page(
    connection: AsyncConnection,
    filters: Filters,
    *,
    kinds: Sequence[str] = (),
    states: Sequence[str] = (),
    assignees: Sequence[str] = (),
) -> Page[Task]:
    """The alerts that pass the filters, as in `alerts.page`, newest first; of these kinds, in these states, in these hands.

    An empty name among `assignees` means in nobody's. Raises FilterError for a cursor of another list.
    """
    filters = await of_present(connection, filters)
    low, high = number_range(filters)
    query = select(alert).where(alert.c.id >= low, alert.c.id < high)
    query = query if (found := matching(query, filters)) is None else found
    for column, values in ((alert.c.kind, kinds), (alert.c.state, states), (func.coalesce(alert.c.assignee, ""), assignees)):
        if values:
            query = query.where(column.in_(values))
    rows = await first_saying(connection, query.order_by(alert.c.id.desc()), "summary", filters.text, filters.limit + 1)
    more = len(rows) > filters.limit
    items = await _tasks(connection, rows[: filters.limit])
    return Page(items=items, next=make_cursor(rows[filters.limit - 1].id) if more else None)


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
