"""Names a found claim: which proposition it is, in whatever words, language or stance, and the plain sentence that says it."""

from __future__ import annotations

import msgspec

from monitor.ids import claim_id_of
from monitor.topic import Proposition


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A claim's id and its plain, positive sentence, made from the lexicon and never from the post."""

    claim_id: str
    claim: str
    key: str


def identify(proposition: Proposition, number: str | None) -> Identity:
    """The identity of a claim: its proposition's key and the number that makes it differ from its like.

    Authority, condition, material and comparator are told apart by the propositions themselves, or by what these differ by
    (`workers.classify.particulars`).
    """
    if number is not None and proposition.number_key and proposition.number_claim:
        key = proposition.number_key.replace("{number}", number)
        claim = proposition.number_claim.replace("{number}", number.replace("-", " "))
    else:
        key, claim = proposition.key, proposition.claim
    return Identity(claim_id=claim_id_of(key), claim=claim, key=key)
