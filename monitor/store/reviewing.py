"""A review as it is asked for, by command line and HTTP alike: read, checked, carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.settings.values import parse_duration
from monitor.store import detail, reviews
from monitor.store.detail import ClaimDetail
from monitor.store.filters import Filters
from monitor.store.locks import check_there
from monitor.store.merged import present_ids
from monitor.store.reviews import Action, ReviewError
from monitor.store.tables import claim
from monitor.times import now_ms, parse_time

_LATEST = 2**53  # ms; every database can hold what is less
_BELONGS: dict[str, tuple[Action, ...]] = {
    "until": ("mute",),
    "for": ("mute",),
    "into": ("merge",),
    "mentions": ("split", "confirm"),
    "claim": ("split",),
}
_NEEDED: dict[Action, dict[str, str]] = {
    "merge": {"into": "the id of the claim that it goes into"},
    "split": {"mentions": "at least one mention", "claim": "one plain sentence that says what the new claim is"},
}


class ReviewRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a person wants done with a claim.

    Of a mute, `until` is a time and `for` a duration ("7d"); with neither it is for good. Of a merge, `into` is the other
    claim's id. Of a split, `mentions` are ids (exowatch's own or `platform:id`), and `claim` says in one plain sentence what
    they say; with `mentions`, a confirmation is of what these say, and not of the whole claim.
    """

    action: Action
    note: str | None = None
    reviewer: str | None = None
    until: str | None = None
    duration: str | None = msgspec.field(default=None, name="for")
    into: str | None = None
    mentions: list[str] = []
    claim: str | None = None


class Reviewed(ClaimDetail, frozen=True, kw_only=True):
    """The claim that holds after a review: for a merge the other one, for a split the new one. `warning` is there where the
    claims that were merged differ in what tells claims apart."""

    warning: str | msgspec.UnsetType = msgspec.UNSET


async def carry_out(
    connection: AsyncConnection,
    claim_id: str,
    asked: ReviewRequest,
    reviewer: str,
    called: Mapping[str, str] | None = None,
    authorities: Mapping[str, str] | None = None,
) -> Reviewed:
    """Does what was asked; the claim that then holds.

    `reviewer` is who asks, where the request does not say; `called` are the names that whoever asks has for the fields;
    `authorities` are the jurisdictions that propositions name. Raises ReviewError.
    """
    _check(asked, called or {})
    warning = await _warning(connection, claim_id, asked.into or "", authorities or {}) if asked.action == "merge" else None
    now = await _done(connection, claim_id, asked, asked.reviewer or reviewer)
    found = await detail.find(connection, now, Filters())
    if found is None:
        raise reviews.NoSuchClaimError(f"there is no claim {now}; `exowatch claims` lists them")
    return Reviewed(**msgspec.structs.asdict(found), warning=warning or msgspec.UNSET)


def changed_by(claim_id: str, now: ClaimDetail) -> list[str]:
    """The ids of the claims that the review just made of a claim has changed: it, the one that holds now, the other one."""
    other = (now.reviews[-1].detail or {}) if now.reviews else {}
    return list(dict.fromkeys((claim_id, now.id, *(other[way] for way in ("from", "into") if way in other))))


async def _warning(connection: AsyncConnection, claim_id: str, into: str, authorities: Mapping[str, str]) -> str | None:
    """In what two claims that are to be merged differ, of what makes two claims of what else is one; None where in nothing."""
    await check_there(connection, (claim_id, into))
    ids = await present_ids(connection, (claim_id, into))
    return await warning_of(connection, ids[claim_id], ids[into], authorities)


async def warning_of(connection: AsyncConnection, claim_id: str, into: str, authorities: Mapping[str, str]) -> str | None:
    """As a merge of the two claims is warned of, also once it is done; these are their own ids."""
    found = {row.id: row for row in await connection.execute(select(claim).where(claim.c.id.in_((claim_id, into))))}
    one, other = found.get(claim_id), found.get(into)
    if one is None or other is None or not one.proposition or not other.proposition:  # what a review split off has none of this
        return None
    pairs = {
        "number": (one.number, other.number),
        "authority": (authorities.get(one.proposition), authorities.get(other.proposition)),
        "register entry": (one.entry, other.entry),
    }
    differing = [f"{name} ({a or 'none'} and {b or 'none'})" for name, (a, b) in pairs.items() if a != b]
    if not differing:
        return None
    return (
        f"the two claims differ in {' and '.join(differing)}; what is said of {other.id} holds for both now, and "
        f"`exowatch claim {one.id} unmerge` takes it back"
    )


async def _done(connection: AsyncConnection, claim_id: str, asked: ReviewRequest, by: str) -> str:
    """Does what was asked; the id of the claim that then holds."""
    if asked.action == "merge":
        return await reviews.merge(connection, claim_id, asked.into or "", by, asked.note)
    if asked.action == "unmerge":
        return await reviews.unmerge(connection, claim_id, by, asked.note)
    if asked.action == "split":
        return await reviews.split(connection, claim_id, asked.mentions, asked.claim or "", by, asked.note)
    if asked.action == "confirm" and asked.mentions:
        return await reviews.confirm_mentions(connection, claim_id, asked.mentions, by, asked.note)
    until_ms = _end(asked) if asked.action == "mute" else None
    return await reviews.judge(connection, claim_id, asked.action, by, asked.note, until_ms)


def _check(asked: ReviewRequest, called: Mapping[str, str]) -> None:
    given: dict[str, Any] = {name: value for name, value in msgspec.to_builtins(asked).items() if value}
    for field, actions in _BELONGS.items():
        name = called.get(field, field)
        if field in given and asked.action not in actions:
            raise ReviewError(f"{name} is for {' and '.join(actions)}, and {asked.action} does not take it")
    for field, wanted in _NEEDED.get(asked.action, {}).items():
        if field not in given:
            raise ReviewError(f"{asked.action} needs {called.get(field, field)}: {wanted}")
    if asked.until and asked.duration:
        raise ReviewError(f"give {called.get('until', 'until')} or {called.get('for', 'for')}, not both")


def _end(asked: ReviewRequest) -> int | None:
    """When a mute ends, in ms; None where it does not."""
    if asked.duration:
        try:
            end = now_ms() + round(parse_duration(asked.duration) * 1000)
        except ValueError as error:
            raise ReviewError(str(error)) from None
    elif asked.until:
        try:
            end = parse_time(asked.until)
        except (ValueError, OverflowError):
            raise ReviewError(f'until {asked.until[:64]!r} is not a time such as "2026-11-22T12:00:00Z"') from None
    else:
        return None
    if end >= _LATEST:
        raise ReviewError("the mute would end after the end of all calendars; leave the end out to mute for good")
    return end
