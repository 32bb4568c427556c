"""Claims: the list, one of them, its case file, and what a reader says of it."""

from __future__ import annotations

import msgspec
from aiohttp import web

from monitor.api.access import needs
from monitor.api.pages import forms
from monitor.api.pages.captures import captures, heard
from monitor.api.pages.looking import DOUBTFUL, PERIODS, choice, looking
from monitor.api.pages.render import page
from monitor.api.pages.today import COURSE_DAYS, label
from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.api.queries import ask, name_in_path
from monitor.store import Connection, Filters, alerts, case, claims, detail, inbox, overview
from monitor.store.detail import ClaimDetail
from monitor.store.filters import MAX_LIMIT
from monitor.store.reviewing import Reviewed, ReviewRequest, carry_out, changed_by, warning_of
from monitor.store.reviews import ACTIONS, ReviewConflictError, ReviewError
from monitor.stream import Signal
from monitor.times import now_ms, parse_time, rfc3339
from monitor.words import CLAIM_STATES, CLAIM_TYPES, STANCES, VERDICTS, Page

PLACES = 15  # occurrences on the page of a claim
TIMELINE_DAYS = 90
ALIKE = 40
MERGED = 40  # claims that were merged into one, and can be taken out again
THESE = "confirm-these"  # of the ticked occurrences that they say it; a review `confirm` with mentions


async def get_claims(request: web.Request) -> web.Response:
    """The claims that pass the filters, the latest first seen first."""
    asked = looking(request, of="claims")
    today = overview.day_of(now_ms())
    async with request.app[PARTS].database.read() as connection:
        found = Page(items=[], next=None) if asked.wrong else await claims.page(connection, asked.filters)
        courses = await overview.courses(connection, [one.id for one in found.items], today - COURSE_DAYS + 1, today)
        platforms = await overview.platforms(connection)
    return page(
        request,
        "claims.html",
        400 if asked.wrong else 200,
        asked=asked,
        found=found,
        courses=courses,
        course_days=[label(day) for day in range(today - COURSE_DAYS + 1, today + 1)],
        choices=[
            choice("type", CLAIM_TYPES),
            choice("verdict", VERDICTS),
            choice("platform", platforms),
            choice("state", CLAIM_STATES),
            choice("stance", STANCES),
            DOUBTFUL,
        ],
        periods=PERIODS,
    )


async def get_claim(request: web.Request) -> web.Response:
    """One claim: the page that alerts lead to."""
    filters, mine = ask(request, "done", "was", filters=("cursor",))
    done, was = (mine.get(name, [""])[-1] for name in ("done", "was"))
    return await _claim(request, name_in_path(request, "id"), filters, done=done if done in ACTIONS else "", was=was)


@needs("review")
async def post_review(request: web.Request) -> web.Response:
    """Says something of a claim, and shows what then holds; what cannot be done is said above the form, which stays filled in."""
    parts, name = request.app[PARTS], name_in_path(request, "id")
    fields = await forms.posted(request)
    reader = forms.fit_name(fields.get("reviewer", "")) or forms.reader(request)
    try:
        asked = _review_of(fields.get("action", ""), {key: fields.getall(key) for key in fields})

        async def act(connection: Connection) -> Reviewed:
            now = await carry_out(connection, name, asked, reader or forms.NOBODY, authorities=parts.authorities())
            if fields.get("alerts") == "done":
                for number in await inbox.open_of_claim(connection, now.id):
                    await inbox.handle(connection, number, "done", reader or forms.NOBODY, note=asked.note or "")
            return now

        now = await parts.database.write_again(act)
    except ReviewError as error:  # where it is this claim that is not there, its page says so
        status = 409 if isinstance(error, ReviewConflictError) else 400
        return await _claim(request, name, Filters(limit=PLACES), status=status, wrong=str(error), filled=dict(fields))
    await parts.stream.signal(*(Signal(kind="claim", id=one) for one in changed_by(name, now)))
    was = (now.reviews[-1].detail or {}).get("from", "") if now.warning else ""
    back = fields.get("next") or f"/claims/{now.id}?done={asked.action}{was and f'&was={was}'}#review"
    answer = forms.go(back)
    if reader and reader != forms.reader(request):
        forms.remember_reader(request, answer, reader)
    return answer


async def get_case(request: web.Request) -> web.Response:
    """All of a claim on one page, to be printed and handed on. It holds what is on record now: what was deleted is not in it."""
    ask(request, filters=())
    parts = request.app[PARTS]
    async with parts.database.read() as connection:
        claim = await _found(connection, name_in_path(request, "id"), Filters(limit=1))
        told = await case.told(connection, claim.id)
        kept = await captures(connection, [*told.first, *told.newest])
        raised = await alerts.page(connection, Filters(claim=(claim.id,), limit=MAX_LIMIT))
    return page(
        request,
        "case.html",
        claim=claim,
        told=told,
        kept=kept,
        alerts=raised,
        entry=parts.register().get(claim.entry),
        made=rfc3339(now_ms()),
        by=forms.reader(request),
    )


def _review_of(action: str, given: dict[str, list[str]]) -> ReviewRequest:
    """The review that the fields of a form ask for. Raises ReviewError."""

    def last(name: str) -> str | None:
        return (given.get(name) or [""])[-1] or None

    if action == THESE:
        if not given.get("mention"):
            raise ReviewError("tick the occurrences first that say it")
        return msgspec.convert({"action": "confirm", "note": last("note"), "mentions": given["mention"]}, ReviewRequest)
    if action not in ACTIONS:
        raise ReviewError(f"choose one of {', '.join(ACTIONS)}")
    values: dict[str, object] = {"action": action, "note": last("note")}
    if action == "mute":
        values["for"] = last("for")
    elif action == "merge":
        values["into"] = last("into")
    elif action == "split":
        values |= {"mentions": given.get("mention", []), "claim": last("claim")}
    return msgspec.convert({name: value for name, value in values.items() if value}, ReviewRequest)


async def _found(connection: Connection, name: str, filters: Filters) -> ClaimDetail:
    found = await detail.find(connection, name, filters)
    if found is None:
        raise Problem(404, "there is no claim with this id; the list of claims leads to all of them")
    return found


async def _claim(
    request: web.Request,
    name: str,
    filters: Filters,
    *,
    status: int = 200,
    done: str = "",
    was: str = "",
    wrong: str = "",
    filled: dict[str, str] | None = None,
) -> web.Response:
    parts = request.app[PARTS]
    filters = msgspec.structs.replace(filters, limit=PLACES)
    async with parts.database.read() as connection:
        claim = await _found(connection, name, filters)
        alike = await overview.like(connection, claim, ALIKE)
        texts = await heard(connection, claim.occurrences.items)
        languages = await overview.languages(connection, [one.first for one in claim.lineage.variants.items])
        merged = await overview.merged_into(connection, claim.id, MERGED)
        warning = await warning_of(connection, was, claim.id, parts.authorities()) if was in merged else None
        open_alerts = await inbox.open_of_claim(connection, claim.id)
    timeline = _timeline(claim)
    return page(
        request,
        "claim.html",
        status,
        claim=claim,
        entry=parts.register().get(claim.entry),
        texts=texts,
        languages=languages,
        timeline=timeline,
        alike=alike,
        merged=merged,
        warning=warning,
        open_alerts=len(open_alerts),
        later=filters.cursor is not None,
        done=done,
        wrong=wrong,
        filled=filled or {},
    )


class Timeline(msgspec.Struct, frozen=True):
    """The days of a claim from the first to today, empty ones included, at most the last TIMELINE_DAYS."""

    labels: list[str]
    mentions: list[int]
    put_forward: list[int]


def _timeline(claim: ClaimDetail) -> Timeline:
    heard = {overview.day_of(parse_time(day.start)): day for day in claim.timeline}
    today = overview.day_of(now_ms())
    first = max(min(heard, default=today), today - TIMELINE_DAYS + 1)
    first = min(first, today - 6)  # a week at least, or a bar fills the page
    days = range(first, today + 1)
    return Timeline(
        [label(day) for day in days],
        [heard[day].mentions if day in heard else 0 for day in days],
        [heard[day].put_forward if day in heard else 0 for day in days],
    )
