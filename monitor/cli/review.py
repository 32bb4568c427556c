"""What a person says of a claim by `exowatch claim ID ACTION`: the options, the doing, and the words for what was done."""

from __future__ import annotations

import asyncio
import getpass
import shlex
from collections.abc import Callable
from typing import Any, TypeVar

import click

from monitor.cli.database import opened
from monitor.cli.group import settings_of
from monitor.cli.output import counted, plain, short_time
from monitor.cli.telling import tell
from monitor.settings import Settings
from monitor.store.detail import ClaimDetail
from monitor.store.reviewing import Reviewed, ReviewRequest, carry_out, changed_by
from monitor.store.reviews import Action, NoSuchClaimError, Review, ReviewConflictError, ReviewError
from monitor.stream import Signal
from monitor.topic import TopicError, lexicon_folder, load_lexicon

F = TypeVar("F", bound=Callable[..., Any])

# What the fields of a request are called here, where not as in HTTP.
_CALLED = {"for": "--for", "until": "--until", "into": "--into", "mentions": "--mention", "claim": "--as"}
# The option of an action that a word without one was most likely meant for.
_MEANT = {"merge": "--into", "split": "--mention", "confirm": "--mention", "mute": "--for"}
_DONE = {
    "confirm": "confirmed {id}",
    "dismiss": "dismissed {id}; it raises nothing any more",
    "reopen": "reopened {id}",
    "mute": "muted {id}; it raises nothing meanwhile",
    "unmute": "unmuted {id}",
    "merge": "merged {id} into {now}; what is heard of either is of that claim",
    "unmerge": "took the merge of {id} back; it is a claim of its own again",
    "split": "split {now} off from {id}",
    "note": "noted on {id}",
}


def review_options(function: F) -> F:
    """Adds the options that actions take."""
    for option in reversed(
        (
            click.option("--note", help="What you have to say to it; kept with the review."),
            click.option("--reviewer", help="Who says so (default: your login name)."),
            click.option("--for", "duration", metavar="DURATION", help='mute: for how long, as in "7d" (else for good).'),
            click.option("--until", metavar="TIME", help="mute: until when."),
            click.option("--into", metavar="ID", help="merge: the claim that it goes into."),
            click.option(
                "--mention",
                "mentions",
                metavar="ID",
                multiple=True,
                help="split: a mention to split off; confirm: one whose place here is confirmed, and not the claim; repeatable.",
            ),
            click.option("--as", "sentence", metavar="SENTENCE", help="split: what the new claim is, in one plain sentence."),
        )
    ):
        function = option(function)
    return function


def unexpected(action: Action, word: str) -> str:
    """What to say to a word after the action that is no option's."""
    return f"{action} takes {word[:64]!r} with an option: {_MEANT.get(action, '--note')} {shlex.quote(word[:64])}"


def review(context: click.Context, claim_id: str, asked: ReviewRequest) -> tuple[str, Reviewed]:
    """Does what was asked; what was done, in words, and the claim that holds now. Raises ClickException."""
    reviewer = asked.reviewer or _login_name(context)
    settings = settings_of(context)
    authorities = _authorities(settings) if asked.action == "merge" else {}

    async def act() -> Reviewed:
        async with opened(settings) as database:
            found = await database.write_again(lambda to: carry_out(to, claim_id, asked, reviewer, _CALLED, authorities))
        await tell(settings, *(Signal(kind="claim", id=one) for one in changed_by(claim_id, found)))
        return found

    try:
        now = asyncio.run(act())
    except (NoSuchClaimError, ReviewConflictError) as error:
        raise click.ClickException(plain(str(error))) from None
    except ReviewError as error:
        raise click.UsageError(plain(str(error)), context) from None
    return _in_words(claim_id, asked, now), now


def _authorities(settings: Settings) -> dict[str, str]:
    """The jurisdictions that the lexicon's propositions name; none where it cannot be read: a merge needs no lexicon."""
    try:
        return load_lexicon(lexicon_folder(settings.topic_folder)).authorities
    except TopicError:
        return {}


def _in_words(claim_id: str, asked: ReviewRequest, now: Reviewed) -> str:
    renamed = asked.action not in ("merge", "split") and now.id != claim_id
    name = now.id if renamed else plain(claim_id)
    if asked.action == "confirm" and asked.mentions:
        done = f"confirmed that {', '.join(map(plain, asked.mentions))} say {name}"
    else:
        done = _DONE[asked.action].format(id=name, now=now.id)
    return done + (f" (what {plain(claim_id)} was merged into)" if renamed else "")


def print_standing(one: ClaimDetail) -> None:
    """How a claim stands after a review: its id, state, verdict and sentence, and how far it was heard."""
    spread = f"{counted(one.mentions, 'mention')} by {counted(one.authors, 'author')}"
    print(plain(f"{one.id} is {standing(one)}, {one.verdict} ({one.basis}), {spread}:"))
    print(plain(one.claim))


def standing(one: ClaimDetail) -> str:
    """The state of a claim, and of a mute, its end."""
    if one.state != "muted":
        return one.state
    mutes = [said for said in one.reviews if said.action == "mute" and said.claim_id == one.id]
    return f"muted {_end(mutes[-1])}" if mutes else one.state


def review_line(one: Review) -> str:
    """One review as a line."""
    what: str = one.action
    if one.action == "mute":
        what += f" {_end(one)}"
    detail = one.detail or {}
    other = next((f" {way} {detail[way]}" for way in ("into", "from") if way in detail), "")
    mentions = f": {', '.join(detail['mentions'])}" if "mentions" in detail else ""
    note = f"  “{one.note}”" if one.note else ""
    return plain(f"{short_time(one.at)}  {one.reviewer}  {what}{other}{mentions}{note}")


def _end(mute: Review) -> str:
    return f"until {short_time(mute.until)} UTC" if mute.until else "for good"


def _login_name(context: click.Context) -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name, as in some containers
        raise click.UsageError("this login has no name; say who reviews with --reviewer NAME", context) from None
