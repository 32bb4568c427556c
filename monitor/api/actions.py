"""Writing over HTTP: posts from outside, what people say of claims, a test alert, a delivery once more."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from aiohttp import web

from monitor.api.access import caller_of, needs
from monitor.api.parts import PARTS
from monitor.api.problems import Problem
from monitor.api.queries import answer, ask, name_in_path
from monitor.ids import stored_id
from monitor.intake import Intake, Offered, PostError, post_from
from monitor.store import Database, deliveries, delivery_log, parse_filters
from monitor.store.reviewing import ReviewRequest, carry_out, changed_by
from monitor.store.reviews import ACTIONS, MuteOverError, NoSuchClaimError, ReviewConflictError, ReviewError
from monitor.stream import Signal
from monitor.times import now_ms
from monitor.words import Post

MAX_BODY = 5_000_000  # bytes
MAX_POSTS = 1_000
SOURCE = "api"  # what posts handed in here say as their source
_PORTION = 100  # posts matched and published at a time, so that one large request does not hold up the others


class PostFault(msgspec.Struct, frozen=True):
    """Why the post at this place of the request was not taken."""

    index: int
    error: str


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the posts of a request."""

    accepted: int
    duplicates: int
    unmatched: int
    errors: list[PostFault]


async def post_mentions(request: web.Request) -> web.Response:
    """Takes one post or an array of them in, as a collector would."""
    ask(request, filters=())
    raw = _read_json(await request.read())
    given = raw if isinstance(raw, list) else [raw]
    if len(given) > MAX_POSTS:
        raise Problem(400, f"{len(given)} posts at once; send at most {MAX_POSTS}")
    posts: list[Post] = []
    errors: list[PostFault] = []
    for index, one in enumerate(given):
        try:
            posts.append(post_from(one))
        except PostError as error:
            errors.append(PostFault(index, str(error)))
    offered = await _offer(request.app[PARTS].intake, posts)
    taken = Taken(accepted=offered.accepted, duplicates=offered.duplicates, unmatched=offered.unmatched, errors=errors)
    return answer(taken, status=202)


@needs("review")
async def post_review(request: web.Request) -> web.Response:
    """Confirms, dismisses, reopens, mutes, unmutes, merges, unmerges, splits or notes on a claim; answers what then holds."""
    ask(request, filters=())
    name = name_in_path(request, "id")
    parts = request.app[PARTS]
    asked = _review_of(_read_json(await request.read()))
    try:
        reviewer, authorities = caller_of(request).name, parts.authorities()
        found = await parts.database.write_again(lambda to: carry_out(to, name, asked, reviewer, authorities=authorities))
    except NoSuchClaimError as error:
        raise Problem(404, str(error)) from None
    except (ReviewConflictError, MuteOverError) as error:
        raise Problem(409, str(error)) from None
    except ReviewError as error:
        raise Problem(400, str(error)) from None
    await parts.stream.signal(*(Signal(kind="claim", id=one) for one in changed_by(name, found)))
    return answer(found)


async def post_endpoint_test(request: web.Request) -> web.Response:
    """Puts a signed test alert on its way to one endpoint; answers with its delivery."""
    ask(request, filters=())
    parts = request.app[PARTS]
    name = name_in_path(request, "name")
    endpoint = next((one for one in parts.settings.endpoint if one.name == name), None)
    if endpoint is None:
        known = ", ".join(one.name for one in parts.settings.endpoint) or "none"
        raise Problem(404, f"there is no endpoint with this name; configured: {known}")
    async with parts.database.write() as connection:
        number = await deliveries.raise_test(connection, endpoint)
        delivery = await deliveries.find(connection, number)
    if delivery is not None:
        await parts.stream.signal(Signal(kind="alert", id=delivery.alert_id))  # wakes the sender and live pages
    return answer(delivery, status=202)


async def post_redeliver(request: web.Request) -> web.Response:
    """Sends a dead or delivered delivery once more; answers with it. One that is pending stays as it is."""
    ask(request, filters=())
    number = stored_id("d", name_in_path(request, "id"))
    delivery = None
    if number is not None:
        async with request.app[PARTS].database.write() as connection:
            delivery = await deliveries.redeliver(connection, number, now_ms())
    if delivery is None:
        raise Problem(404, "there is no delivery with this id; GET /api/v1/deliveries lists them")
    await request.app[PARTS].stream.signal(Signal(kind="delivery", id=delivery.endpoint))  # open pages look again
    return answer(delivery, status=202)


class Again(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries of an endpoint to send again: made since then (a duration back, or a time), by state."""

    since: str
    until: str | None = None
    state: delivery_log.Settled = "dead"


class Queued(msgspec.Struct, frozen=True):
    """How many deliveries are on their way again."""

    queued: int


async def post_endpoint_redeliver(request: web.Request) -> web.Response:
    """Sends all dead (or delivered, or any) deliveries of a time to one endpoint once more; answers how many."""
    ask(request, filters=())
    parts = request.app[PARTS]
    name = name_in_path(request, "name")
    if all(one.name != name for one in parts.settings.endpoint):
        raise Problem(404, "there is no endpoint with this name")
    try:
        asked = msgspec.convert(_read_json(await request.read()), Again)
    except msgspec.ValidationError as error:
        raise Problem(400, f"the body does not say what to send again: {str(error)[:200]}") from None
    if not asked.since.strip():
        raise Problem(400, 'say in since how far back, as in "24h"')
    given = {"since": [asked.since], **({} if asked.until is None else {"until": [asked.until]})}
    wanted = delivery_log.again(name, parse_filters(given), asked.state)
    queued = await send_again(parts.database, wanted)
    await parts.stream.signal(Signal(kind="delivery", id=name))
    return answer(Queued(queued), status=202)


async def send_again(database: Database, wanted: delivery_log.Again) -> int:
    """Puts deliveries back into the queue, in steps that are short for other writers; how many."""
    queued = 0
    rest: delivery_log.Again | None = wanted
    while rest is not None:
        async with database.write() as connection:
            step, rest = await delivery_log.redeliver_some(connection, rest)
        queued += step
    return queued


def _read_json(body: bytes) -> Any:
    try:
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError:
            # It is slower, and takes half an emoji (\ud83d), which a text that somebody cut can end in: one must not stop all.
            return json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise Problem(400, f"the body is not JSON that can be read: {reason}") from None


def _review_of(given: Any) -> ReviewRequest:
    try:
        return msgspec.convert(given, ReviewRequest)
    except msgspec.ValidationError as error:
        reason = str(error)[:200]
    except UnicodeError:  # half an emoji in the name of a field
        reason = "Object contains unknown field"
    raise Problem(400, f"the body is not a review: {reason}; actions are {', '.join(ACTIONS)}")


async def _offer(intake: Intake, posts: list[Post]) -> Offered:
    offered = Offered()
    for start in range(0, len(posts), _PORTION):
        offered += await intake.offer(posts[start : start + _PORTION], source=SOURCE)
    return offered
