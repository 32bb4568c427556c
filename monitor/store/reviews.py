"""What people say of claims: confirmed, dismissed, muted, merged, split. Kept as history; nothing of it is ever changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import delete, func, insert, literal, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import recount
from monitor.store.filters import mention_key
from monitor.store.outbox import new_number
from monitor.store.tables import alert, claim, claim_author, claim_move, mention, occurrence, review
from monitor.store.upsert import upsert
from monitor.words import MAX_ID, claim_id_of, now_ms, public_id, rfc3339

Action = Literal["confirm", "dismiss", "reopen", "mute", "unmute", "merge", "split"]
ACTIONS: tuple[Action, ...] = get_args(Action)
FOR_GOOD = 1 << 62  # milliseconds: a mute without an end

MAX_NOTE = 2_000  # characters
MAX_REVIEWER = 100  # characters
MAX_SPLIT = 500  # mentions at once

_STATES = {"confirm": "confirmed", "dismiss": "dismissed", "reopen": "open"}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class ReviewError(Exception):
    """The review cannot be done; the text says why and what to do."""


class MuteOverError(ReviewError):
    """A mute would end before it begins."""


class NoSuchClaimError(ReviewError):
    """No claim has this id, and none was merged that had it."""


class ReviewConflictError(ReviewError):
    """The claims on record are not as the review takes them to be."""


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was said of a claim. `until` ends a mute; `detail` names what was merged or split."""

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
    action: Literal["confirm", "dismiss", "reopen", "mute", "unmute"],
    reviewer: str,
    note: str | None = None,
    until_ms: int | None = None,
) -> str:
    """Confirms, dismisses, reopens, mutes (until a time, or for good) or unmutes a claim; the id that it goes by now.

    A dismissed or muted claim raises nothing. Raises ReviewError.
    """
    (claim_id,) = await _locked(connection, claim_id)
    if action == "mute":
        if until_ms is not None and until_ms <= now_ms():
            raise MuteOverError("a mute ends in the future; give a later time, or none to mute for good")
        values: dict[str, Any] = {"muted_until_ms": FOR_GOOD if until_ms is None else until_ms}
    elif action == "unmute":
        values = {"muted_until_ms": None}
    else:
        values = {"state": _STATES[action]}
    await connection.execute(update(claim).where(claim.c.id == claim_id).values(values))
    await _note(connection, claim_id, action, reviewer, note, until_ms=until_ms)
    return claim_id


async def merge(connection: AsyncConnection, claim_id: str, into: str, reviewer: str, note: str | None = None) -> str:
    """Puts everything of a claim, now and later, under another; that one's id. Raises ReviewError."""
    source, target = await _locked(connection, claim_id, into)
    if source == target:
        raise ReviewConflictError("these are one claim already")
    moved = occurrence.c.claim_id == source
    await _put_under(connection, moved, target)
    names = claim_author.c.platform, claim_author.c.author
    theirs = select(literal(target), *names).where(claim_author.c.claim_id == source)
    columns = ["claim_id", "platform", "author"]
    await connection.execute(upsert(connection, claim_author).from_select(columns, theirs).on_conflict_do_nothing())
    await connection.execute(delete(claim_author).where(claim_author.c.claim_id == source))
    await connection.execute(update(claim_move).where(claim_move.c.claim_id == source).values(claim_id=target))
    await connection.execute(
        update(claim).where(or_(claim.c.id == source, claim.c.merged_into == source)).values(merged_into=target)
    )
    await connection.execute(update(alert).where(alert.c.claim_id == source).values(claim_id=target))
    await _bring_to_date(connection, source, target)
    await _note(connection, source, "merge", reviewer, note, detail={"into": target})
    await _note(connection, target, "merge", reviewer, note, detail={"from": source})
    return target


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
    (source,) = await _locked(connection, claim_id)
    sentence = _line(sentence)
    if not 10 <= len(sentence) <= 300:
        raise ReviewError("say in one plain sentence (10 to 300 characters) what the new claim is")
    numbers = await _carrying(connection, source, mentions)
    held = (
        await connection.execute(
            select(func.count(func.distinct(occurrence.c.mention_id))).where(occurrence.c.claim_id == source)
        )
    ).scalar_one()
    if held == len(numbers):
        raise ReviewConflictError("these are all mentions of the claim; leave at least one, or dismiss the claim")
    new = claim_id_of(f"split:{source}:{','.join(map(str, numbers))}:{now_ms()}")
    row = (await connection.execute(select(claim).where(claim.c.id == source))).one()._asdict()
    await connection.execute(insert(claim).values(row | _own(new, sentence)))
    moved = (occurrence.c.claim_id == source) & occurrence.c.mention_id.in_(numbers)
    found_as = func.coalesce(occurrence.c.found_as, occurrence.c.claim_id)
    moves = select(occurrence.c.mention_id, found_as, literal(new)).where(moved).distinct()
    statement = upsert(connection, claim_move).from_select(["mention_id", "found_as", "claim_id"], moves)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["mention_id", "found_as"], set_={"claim_id": statement.excluded.claim_id})
    )
    await _put_under(connection, moved, new, sure=True)
    await _share_authors(connection, source, new)
    about = alert.c.mention_id.in_(numbers) & (alert.c.claim_id == source)
    await connection.execute(update(alert).where(about).values(claim_id=new))
    await _bring_to_date(connection, source, new)
    detail = {"mentions": [public_id("m", number) for number in numbers]}
    await _note(connection, source, "split", reviewer, note, detail=detail | {"into": new})
    await _note(connection, new, "split", reviewer, note, detail=detail | {"from": source})
    return new


async def history(connection: AsyncConnection, claim_id: str) -> list[Review]:
    """All that was said of a claim and of those merged into it, the oldest first."""
    ids = select(claim.c.id).where(or_(claim.c.id == claim_id, claim.c.merged_into == claim_id))
    rows = await connection.execute(select(review).where(review.c.claim_id.in_(ids)).order_by(review.c.id))
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


async def _locked(connection: AsyncConnection, *claim_ids: str) -> list[str]:
    """The present ids of claims, whose rows nobody else changes until the end of the transaction. Raises NoSuchClaimError."""
    ids = list(claim_ids)
    for claim_id in ids:
        if len(claim_id) > MAX_ID or _UNPRINTABLE.search(claim_id):
            raise NoSuchClaimError("no claim has an id like that; `exowatch claims` lists them")
    while True:
        rows = await connection.execute(
            select(claim.c.id, claim.c.merged_into).where(claim.c.id.in_(ids)).order_by(claim.c.id).with_for_update()
        )
        merged_into = {row.id: row.merged_into for row in rows}
        for claim_id in ids:
            if claim_id not in merged_into:
                raise NoSuchClaimError(f"there is no claim {claim_id[:64]}; `exowatch claims` lists them")
        if not any(merged_into.values()):
            return ids
        # Looked up under the lock: while it was waited for, another review may have merged them.
        ids = [merged_into[claim_id] or claim_id for claim_id in ids]


async def _carrying(connection: AsyncConnection, claim_id: str, names: Sequence[str]) -> list[int]:
    """The stored ids of mentions, each of which carries the claim. Raises ReviewError."""
    if not names:
        raise ReviewError("name at least one mention to be split off")
    if len(names) > MAX_SPLIT:
        raise ReviewError(f"{len(names)} mentions at once; name at most {MAX_SPLIT}")
    numbers = set()
    for name in names:
        number = None if _UNPRINTABLE.search(name) else await _number_of(connection, claim_id, name)
        if number is None:
            raise ReviewConflictError(
                f"mention {_line(name)[:64]} does not carry this claim; "
                f"`exowatch mentions --claim {claim_id}` lists those that do"
            )
        numbers.add(number)
    return sorted(numbers)


async def _number_of(connection: AsyncConnection, claim_id: str, name: str) -> int | None:
    """The stored id of the mention of this name, if it carries the claim."""
    key = mention_key(name)
    where = mention.c.id == key
    if isinstance(key, tuple):
        where = (mention.c.platform == key[0]) & (mention.c.platform_id == key[1])
    carries = select(1).where(occurrence.c.mention_id == mention.c.id, occurrence.c.claim_id == claim_id)
    number: int | None = (await connection.execute(select(mention.c.id).where(where, carries.exists()))).scalar()
    return number


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
        "evidence": [],
        "state": "open",
        "muted_until_ms": None,
        "merged_into": None,
    }


async def _put_under(connection: AsyncConnection, moved: Any, target: str, *, sure: bool = False) -> None:
    """Puts occurrences under a claim, whose verdict is theirs from then on. `sure`: a person looked at each of them."""
    row = (await connection.execute(select(claim).where(claim.c.id == target))).one()
    await connection.execute(
        update(occurrence)
        .where(moved)
        .values(
            found_as=func.nullif(func.coalesce(occurrence.c.found_as, occurrence.c.claim_id), target),
            sure=true() if sure else occurrence.c.sure,
            claim_id=target,
            type=row.type,
            verdict=row.verdict,
            verdicts=row.verdicts,
            basis=row.basis,
        )
    )


async def _share_authors(connection: AsyncConnection, source: str, new: str) -> None:
    """Gives the new claim the authors of its mentions, and takes from the old one those who say no more of it."""

    def by(claim_id: str) -> Any:
        return (
            select(mention.c.platform, mention.c.author)
            .join(occurrence, occurrence.c.mention_id == mention.c.id)
            .where(occurrence.c.claim_id == claim_id, recount.put_forward, mention.c.author.is_not(None))
            .distinct()
        )

    theirs = {tuple(row) for row in await connection.execute(by(new))}
    staying = {tuple(row) for row in await connection.execute(by(source))}
    if theirs:
        rows = [{"claim_id": new, "platform": platform, "author": author} for platform, author in sorted(theirs)]
        await connection.execute(insert(claim_author), rows)
    for platform, author in sorted(theirs - staying):
        await connection.execute(
            delete(claim_author).where(
                claim_author.c.claim_id == source, claim_author.c.platform == platform, claim_author.c.author == author
            )
        )


async def _bring_to_date(connection: AsyncConnection, *claim_ids: str) -> None:
    for claim_id in claim_ids:
        await recount.numbers_of(connection, claim_id)
        await recount.mentions_of(connection, claim_id)


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
            note=_bounded(note, "a note", MAX_NOTE) if note else None,
            until_ms=until_ms,
            detail=detail,
        )
    )


def _bounded(text: str, what: str, longest: int) -> str:
    line = _line(text)
    if not 1 <= len(line) <= longest:
        raise ReviewError(f"{what} has 1 to {longest:,} characters, and this one has {len(line):,}")
    return line


def _line(text: str) -> str:
    """A text that any database holds and any terminal shows: on one line, without what would steer either."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())
