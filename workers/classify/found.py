"""What is found in a text, by whichever way."""

from __future__ import annotations

import msgspec

from monitor.topic.lexicon import Proposition
from monitor.words import ClaimType, Stance, Wording


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A claim found in a text. `start` and `end` are code points of the original text; `number` belongs to the claim's identity.

    `by` says how it was found and `cue` what decided the stance; neither quotes the post, which may be deleted. Where it is not
    `sure`, the proposition is only the likeliest.
    """

    start: int
    end: int
    type: ClaimType
    stance: Stance
    distance: bool
    testimonial: bool
    proposition: Proposition
    number: str | None
    confidence: float
    by: str
    cue: str
    sure: bool = True
    wording: Wording | None = None  # where the lexicon does not know the claim


class Finds(msgspec.Struct, frozen=True):
    """All that is found in a text: its claims, and whether it reports harm and is about the topic at all."""

    claims: tuple[Found, ...]
    harm: bool
    relevant: bool = True
