"""What people say of claims: confirmed, dismissed, muted, merged, split. Kept as history; nothing of it is ever changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import ColumnElement, delete, func, insert, literal, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.ids import claim_id_of, public_id
from monitor.store import regroup
from monitor.store.locks import (
    MAX_NAMED,
    MuteOverError,
    NoSuchClaimError,
    ReviewConflictError,
    ReviewError,
    carrying,
    check_there,
    hold,
    lock_claims,
    named,
    one_line,
)
from monitor.store.outbox import new_number
from monitor.store.tables import alert, claim, claim_author, occurrence, review
from monitor.store.upsert import upsert
from monitor.store.verdicts import lock_mentions
from monitor.times import now_ms, rfc3339

__all__ = [
    "ACTIONS",
    "FOR_GOOD",
    "Action",
    "MuteOverError",
    "NoSuchClaimError",
    "Review",
    "ReviewConflictError",
    "ReviewError",
    "confirm_mentions",
    "history",
    "judge",
    "merge",
    "present_id",
    "split",
    "unmerge",
]

Action = Literal["confirm", "dismiss", "reopen", "mute", "unmute", "merge", "unmerge", "split", "note"]
ACTIONS: tuple[Action, ...] = get_args(Action)
FOR_GOOD = 1 << 62  # milliseconds: a mute without an end

MAX_HISTORY = 500  # reviews of one claim that are listed
MAX_NOTE = 2_000  # characters
MAX_REVIEWER = 100  # characters
MAX_SPLIT = MAX_NAMED  # mentions at once
SENTENCE = (10, 300)  # characters that the sentence of a new claim may have
_SHOWN = 5  # ids of merged claims that an error names

_STATES = {"confirm": "confirmed", "dismiss": "dismissed", "reopen": "open"}


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was said of a claim. `until` ends a mute; `detail` names what was merged or split, or which mentions'
    occurrences were confirmed."""

    claim_id: str
    at: str
    action: Action
    reviewer: str
    note: str | None
    until: str | None
    detail: dict[str, Any] | None


async def judge(
    connection: AsyncConnection,
    claim_id: str,
    action: Literal["confirm", "dismiss", "reopen", "mute", "unmute", "note"],
    reviewer: str,
    note: str | None = None,
    until_ms: int | None = None,
) -> str:
    """Confirms, dismisses, reopens, mutes (until a time, or for good) or unmutes a claim, or only notes something on it; the id
    that it goes by now.

    A dismissed or muted claim raises nothing. What is confirmed is confirmed with all its occurrences, also those that were
    joined to it as the likeliest. Raises ReviewError.
    """

    async def doubtful(ids: Sequence[str]) -> Collection[int]:
        return await carrying(connection, _doubtful(ids[0])) if action == "confirm" else ()

    (claim_id,) = await hold(connection, [claim_id], doubtful)
    if action == "note":
        if note is None or not one_line(note):
            raise ReviewError("a note needs words: say them as note")
        await _note(connection, claim_id, action, reviewer, note)
        return claim_id
    if action == "mute":
        if until_ms is not None and until_ms <= now_ms():
            raise MuteOverError("a mute ends in the future; give a later time, or none to mute for good")
        values: dict[str, Any] = {"muted_until_ms": FOR_GOOD if until_ms is None else until_ms}
    elif action == "unmute":
        values = {"muted_until_ms": None}
    else:
        values = {"state": _STATES[action]}
    await connection.execute(update(claim).where(claim.c.id == claim_id).values(values))
    if action == "confirm":
        await _make_sure(connection, _doubtful(claim_id))
    await _note(connection, claim_id, action, reviewer, note, until_ms=until_ms)
    return claim_id


async def confirm_mentions(
    connection: AsyncConnection, claim_id: str, mentions: Sequence[str], reviewer: str, note: str | None = None
) -> str:
    """Confirms that what these mentions say is of the claim, whose state stays as it is; the id that it goes by now.

    It also holds when the mentions are read again. Raises ReviewError.
    """

    async def those(ids: Sequence[str]) -> Collection[int]:
        return await named(connection, ids[0], mentions)

    (claim_id,) = await hold(connection, [claim_id], those)
    numbers = await named(connection, claim_id, mentions)
    await _make_sure(connection, (occurrence.c.claim_id == claim_id) & occurrence.c.mention_id.in_(numbers))
    detail = {"mentions": [public_id("m", number) for number in numbers]}
    await _note(connection, claim_id, "confirm", reviewer, note, detail=detail)
    return claim_id


async def merge(connection: AsyncConnection, claim_id: str, into: str, reviewer: str, note: str | None = None) -> str:
    """Puts everything of a claim, now and later, under another; that one's id. Raises ReviewError."""

    async def all_of_it(ids: Sequence[str]) -> Collection[int]:
        return await carrying(connection, occurrence.c.claim_id == ids[0])

    source, target = await hold(connection, [claim_id, into], all_of_it)
    if source == target:
        raise ReviewConflictError("these are one claim already")
    moved = occurrence.c.claim_id == source
    numbers = await carrying(connection, moved)
    await regroup.put_under(connection, moved, target)
    names = claim_author.c.platform, claim_author.c.author
    theirs = select(literal(target), *names).where(claim_author.c.claim_id == source)
    columns = ["claim_id", "platform", "author"]
    await connection.execute(upsert(connection, claim_author).from_select(columns, theirs).on_conflict_do_nothing())
    await connection.execute(delete(claim_author).where(claim_author.c.claim_id == source))
    await connection.execute(
        update(claim).where(or_(claim.c.id == source, claim.c.merged_into == source)).values(merged_into=target)
    )
    await connection.execute(update(alert).where(alert.c.claim_id == source).values(claim_id=target))
    await regroup.counted_anew(connection, (source, target), numbers)
    await _note(connection, source, "merge", reviewer, note, detail={"into": target})
    await _note(connection, target, "merge", reviewer, note, detail={"from": source})
    return target


async def unmerge(connection: AsyncConnection, claim_id: str, reviewer: str, note: str | None = None) -> str:
    """Takes the merge of a claim back: it is a claim of its own again, and gets all that is its; its id.

    That is what is read as this claim, or was put under it by a person, also where it was heard after the merge; the claims that
    had been merged into it before; and its alerts. Raises ReviewError.
    """
    await check_there(connection, [claim_id])
    while True:
        into = await _merge_of(connection, claim_id)
        along = await regroup.merged_with(connection, claim_id, into)
        its = (occurrence.c.claim_id == into) & regroup.home.in_(along)
        await lock_mentions(connection, await carrying(connection, its))
        await lock_claims(connection, {*along, into})
        if await _merge_of(connection, claim_id) == into and await regroup.merged_with(connection, claim_id, into) == along:
            break
    numbers = await carrying(connection, its)
    await connection.execute(update(claim).where(claim.c.id.in_(along)).values(merged_into=claim_id))
    await connection.execute(update(claim).where(claim.c.id == claim_id).values(merged_into=None))
    await regroup.put_under(connection, its, claim_id)
    await regroup.give_back_alerts(connection, into, claim_id, along)
    await regroup.parted(connection, into, claim_id, numbers)
    await _note(connection, into, "unmerge", reviewer, note, detail={"into": claim_id})
    await _note(connection, claim_id, "unmerge", reviewer, note, detail={"from": into})
    return claim_id


async def split(
    connection: AsyncConnection,
    claim_id: str,
    mentions: Sequence[str],
    sentence: str,
    reviewer: str,
    note: str | None = None,
) -> str:
    """Makes a claim of its own of what these mentions say; its id.

    `sentence` says it plainly; no entry of the register covers it, so it is unsupported by the burden of proof. What the same
    mentions are found to say when they are read again stays with it. Raises ReviewError.
    """
    sentence = one_line(sentence)
    if not SENTENCE[0] <= len(sentence) <= SENTENCE[1]:
        raise ReviewError("say in one plain sentence ({} to {} characters) what the new claim is".format(*SENTENCE))
    if not mentions:
        raise ReviewError("name at least one mention to be split off")

    async def those(ids: Sequence[str]) -> Collection[int]:
        return await named(connection, ids[0], mentions)

    (source,) = await hold(connection, [claim_id], those)
    numbers = await named(connection, source, mentions)
    of_source = select(func.count(func.distinct(occurrence.c.mention_id))).where(occurrence.c.claim_id == source)
    if (await connection.execute(of_source)).scalar_one() == len(numbers):
        raise ReviewConflictError("these are all mentions of the claim; leave at least one, or dismiss the claim")
    new = claim_id_of(f"split:{source}:{','.join(map(str, numbers))}:{now_ms()}")
    row = (await connection.execute(select(claim).where(claim.c.id == source))).one()._asdict()
    await connection.execute(insert(claim).values(row | _own(new, sentence)))
    moved = (occurrence.c.claim_id == source) & occurrence.c.mention_id.in_(numbers)
    await regroup.say_of_mentions(connection, moved, literal(new))
    await regroup.put_under(connection, moved, new, sure=True)
    about = alert.c.mention_id.in_(numbers) & (alert.c.claim_id == source)
    await connection.execute(update(alert).where(about).values(claim_id=new))
    await regroup.parted(connection, source, new, numbers)
    detail = {"mentions": [public_id("m", number) for number in numbers]}
    await _note(connection, source, "split", reviewer, note, detail=detail | {"into": new})
    await _note(connection, new, "split", reviewer, note, detail=detail | {"from": source})
    return new


async def history(connection: AsyncConnection, claim_id: str) -> list[Review]:
    """What was said of a claim and of those merged into it, the oldest first; of more than MAX_HISTORY the latest."""
    ids = select(claim.c.id).where(or_(claim.c.id == claim_id, claim.c.merged_into == claim_id))
    query = select(review).where(review.c.claim_id.in_(ids)).order_by(review.c.id.desc()).limit(MAX_HISTORY)
    rows = list(await connection.execute(query))[::-1]
    return [
        Review(
            claim_id=row.claim_id,
            at=rfc3339(row.at_ms),
            action=row.action,
            reviewer=row.reviewer,
            note=row.note,
            until=rfc3339(row.until_ms),
            detail=row.detail,
        )
        for row in rows
    ]


async def present_id(connection: AsyncConnection, claim_id: str) -> str:
    """The id that a claim goes by: another one where it was merged."""
    into = (await connection.execute(select(claim.c.merged_into).where(claim.c.id == claim_id))).scalar()
    return into or claim_id


def _doubtful(claim_id: str) -> ColumnElement[bool]:
    return (occurrence.c.claim_id == claim_id) & ~occurrence.c.sure


async def _make_sure(connection: AsyncConnection, about: ColumnElement[bool]) -> None:
    """Takes the mark of the likeliest from occurrences, also for when their mentions are read again."""
    await regroup.say_of_mentions(connection, about, regroup.home)
    await connection.execute(update(occurrence).where(about).values(sure=true()))


async def _merge_of(connection: AsyncConnection, claim_id: str) -> str:
    """The claim that this one is merged into. Raises ReviewConflictError where it is not merged."""
    into: str | None = (await connection.execute(select(claim.c.merged_into).where(claim.c.id == claim_id))).scalar_one()
    if into is not None:
        return into
    merged = select(claim.c.id).where(claim.c.merged_into == claim_id).order_by(claim.c.id).limit(_SHOWN)
    ids = ", ".join((await connection.execute(merged)).scalars())
    there = f"name the one that was: {ids}" if ids else "nothing was merged into it either"
    raise ReviewConflictError(f"claim {claim_id} is not merged into another one; {there}")


def _own(new: str, sentence: str) -> dict[str, Any]:
    return {
        "id": new,
        "claim": sentence,
        "proposition": "",
        "number": None,
        "entry": None,
        "verdict": "unsupported",
        "verdicts": {},
        "basis": "burden of proof",
        "ruling": "a review split it off and no register entry covers it, so it is unsupported by the burden of proof",
        "evidence": (),
        "state": "open",
        "muted_until_ms": None,
        "merged_into": None,
    }


async def _note(
    connection: AsyncConnection,
    claim_id: str,
    action: Action,
    reviewer: str,
    note: str | None,
    until_ms: int | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    await connection.execute(
        insert(review).values(
            id=new_number(),
            claim_id=claim_id,
            at_ms=now_ms(),
            action=action,
            reviewer=_bounded(reviewer, "a reviewer's name", MAX_REVIEWER),
            note=_bounded(note, "a note", MAX_NOTE) if note and one_line(note) else None,
            until_ms=until_ms,
            detail=detail,
        )
    )


def _bounded(text: str, what: str, longest: int) -> str:
    line = one_line(text)
    if not 1 <= len(line) <= longest:
        raise ReviewError(f"{what} has 1 to {longest:,} characters, and this one has {len(line):,}")
    return line
