"""Alerts as an inbox: what is open, who has it in hand, what was done."""

from __future__ import annotations

from aiohttp import web

from monitor.api.access import needs
from monitor.api.pages import forms
from monitor.api.pages.looking import PERIODS, Choice, choice, looking
from monitor.api.pages.render import count, page
from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.api.queries import name_in_path
from monitor.ids import stored_id
from monitor.store import claims, inbox, mentions
from monitor.store.filters import CHOICES, NOBODY, STATES
from monitor.store.inbox import HANDLINGS, InboxError
from monitor.stream import Signal
from monitor.words import CLAIM_TYPES, Page

SHOWN = 40


async def get_alerts(request: web.Request) -> web.Response:
    """The alerts that are asked for, the open ones where nothing is said of their state, newest first."""
    usual = {"state": ["open"]}
    asked = looking(request, limit=SHOWN, of="alerts", unsaid=usual)
    async with request.app[PARTS].database.read() as connection:
        found: Page[inbox.Task] = Page(items=[], next=None)
        if asked.wrong is None:
            found = await inbox.page(connection, asked.filters)
        of_claims = await claims.load(connection, [one.claim_id for one in found.items if one.claim_id])
        numbers = [stored_id("m", one.mention_id) for one in found.items if one.mention_id]
        of_mentions = await mentions.load(connection, [number for number in numbers if number is not None])
        number_open = await inbox.count_open(connection)
        people = await inbox.people(connection)
    you = forms.reader(request)
    names = dict.fromkeys([NOBODY, *([you] if you else []), *people, *asked.given.get("assignee", [])])
    return page(
        request,
        "alerts.html",
        400 if asked.wrong else 200,
        asked=asked,
        found=found,
        states=asked.given.get("state", usual["state"]),
        claims={one.id: one for one in of_claims},
        mentions={one.id: one for one in of_mentions},
        open_in_all=None if asked.narrowed or asked.later or asked.wrong else _in_all(number_open),
        people=people,
        choices=[
            Choice("state", "State", {state: state for state in STATES["alerts"]}),
            Choice("kind", "Kind", {kind: kind for kind in CHOICES["kind"]}),
            choice("type", CLAIM_TYPES),
            Choice("assignee", "Assigned to", {name: name for name in names}),
        ],
        periods=PERIODS,
    )


def _in_all(number: int) -> str:
    return f"{count(number, 'open alert')}{' or more' if number >= inbox.MAX_COUNTED else ''}, newest first."


@needs("review")
async def post_alert(request: web.Request) -> web.Response:
    """Assigns an alert, takes it out of all hands, says that it is done or open again."""
    number = stored_id("a", name_in_path(request, "id"))
    fields = await forms.posted(request)
    reader = forms.fit_name(fields.get("reviewer", "")) or forms.reader(request)
    action, assignee = fields.get("action", ""), fields.get("assignee", "")
    if action == "take":
        action, assignee = "assign", reader
        if not reader:
            return forms.go("/you?next=/alerts")
    if action not in HANDLINGS:
        raise Problem(400, f"what is to be done is one of take, {', '.join(HANDLINGS)}")
    task = None
    try:
        if number is not None:
            async with request.app[PARTS].database.write() as connection:
                task = await inbox.handle(
                    connection, number, action, reader or forms.NOBODY, assignee=assignee,
                    note=fields.get("note", ""),
                )  # fmt: skip
    except InboxError as error:
        raise Problem(400, str(error)) from None
    if task is None:
        raise Problem(404, "there is no alert with this id")
    signals = [Signal(kind="handled", id=task.id)]  # other open pages look again
    if task.claim_id is not None:
        signals.append(Signal(kind="claim", id=task.claim_id))
    await request.app[PARTS].stream.signal(*signals)
    return forms.go(fields.get("next", "/alerts"))
