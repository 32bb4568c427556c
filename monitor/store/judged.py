"""A judged post on its way into the record."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from monitor.store.outbox import AlertDraft
from monitor.words import Judgement, Post, Wording


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a claim's identity is from: the lexicon's proposition, the number in it, the register's entry that gives the verdict,
    and `ruling`, what it says in words: the end of the occurrence's `why`.

    Where it is not `sure`, the occurrence was joined to the claim as the likeliest, and is marked for review. One that the
    lexicon does not know has a `wording`, by which it may join another claim.
    """

    proposition: str = ""
    number: str | None = None
    entry: str | None = None
    ruling: str = ""
    sure: bool = True
    wording: Wording | None = None


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A post with its judgement, ready for the record. `number` orders it in time and becomes the mention's id.

    `alerts` are what it is to raise as it was read, and `asks` says that of the judgement as the record has it, where reviews,
    claims that it joined or the register on record make it another one: else an alert would be kept back, or sent, by the verdict
    of a claim that it is not about.

    `origins` go with the judgement's claims, one each. `found_as` are the claims' ids as the reader gave them, where a review has
    put any of them under another claim. `watch` are the names of the watchlist that the post speaks of.
    """

    number: int
    seen_ms: int
    post: Post
    judgement: Judgement
    origins: tuple[Origin, ...] = ()
    alerts: tuple[AlertDraft, ...] = ()
    asks: Callable[[Judgement], tuple[AlertDraft, ...]] | None = None
    found_as: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()

    @property
    def origins_of_claims(self) -> tuple[Origin, ...]:
        """`origins`, or where none were given, as many empty ones."""
        return self.origins or tuple(Origin() for _ in self.judgement.claims)
