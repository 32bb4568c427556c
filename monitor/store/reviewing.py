"""A review as it is asked for, by command line and HTTP alike: read, checked, carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.settings.values import parse_duration
from monitor.store import reviews
from monitor.store.reviews import Action, ReviewError
from monitor.words import now_ms, parse_time

_LATEST = 2**53  # ms; every database can hold what is less
_BELONGS = {"until": "mute", "for": "mute", "into": "merge", "mentions": "split", "claim": "split"}
_NEEDED = {
    "into": "the id of the claim that it goes into",
    "mentions": "at least one mention",
    "claim": "one plain sentence that says what the new claim is",
}


class ReviewRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a person wants done with a claim.

    Of a mute, `until` is a time and `for` a duration ("7d"); with neither it is for good. Of a merge, `into` is the other
    claim's id. Of a split, `mentions` are ids (exowatch's own or `platform:id`), and `claim` says in one plain sentence what
    they say.
    """

    action: Action
    note: str | None = None
    reviewer: str | None = None
    until: str | None = None
    duration: str | None = msgspec.field(default=None, name="for")
    into: str | None = None
    mentions: list[str] = []
    claim: str | None = None


async def carry_out(
    connection: AsyncConnection,
    claim_id: str,
    asked: ReviewRequest,
    reviewer: str,
    called: Mapping[str, str] | None = None,
) -> str:
    """Does what was asked; the id of the claim that then holds: for a merge the other one's, for a split the new one's.

    `reviewer` is who asks, where the request does not say; `called` are the names that whoever asks has for the fields. Raises
    ReviewError.
    """
    _check(asked, called or {})
    by = asked.reviewer or reviewer
    if asked.action == "merge":
        return await reviews.merge(connection, claim_id, asked.into or "", by, asked.note)
    if asked.action == "split":
        return await reviews.split(connection, claim_id, asked.mentions, asked.claim or "", by, asked.note)
    until_ms = _end(asked) if asked.action == "mute" else None
    return await reviews.judge(connection, claim_id, asked.action, by, asked.note, until_ms)


def _check(asked: ReviewRequest, called: Mapping[str, str]) -> None:
    given: dict[str, Any] = {name: value for name, value in msgspec.to_builtins(asked).items() if value}
    for field, action in _BELONGS.items():
        name = called.get(field, field)
        if field in given and asked.action != action:
            raise ReviewError(f"{name} is for {action}, and {asked.action} does not take it")
        if field not in given and asked.action == action and field in _NEEDED:
            raise ReviewError(f"{action} needs {name}: {_NEEDED[field]}")
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
