"""What an explanation is made of."""

from __future__ import annotations

from typing import Literal

import msgspec

StepName = Literal[
    "heard",
    "matched",
    "read",
    "harm",
    "claim",
    "confidence",
    "review",
    "new",
    "spreading",
    "resurfaced",
    "alert",
    "endpoint",
    "delivery",
]
Keyword = tuple[str, int, int]  # its name, and the half-open span of the text where it stands


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of classifier and register that posts are judged by now."""

    classifier: str
    register: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step on the way to an alert, whether it was passed, and a plain sentence on it. `claim_id`, `alert_id` and `endpoint`
    name what it is about."""

    step: StepName
    passed: Literal["yes", "no"]
    sentence: str
    claim_id: str | None = None
    alert_id: str | None = None
    endpoint: str | None = None


def step(name: StepName, passed: bool, sentence: str, **about: str | None) -> Step:
    """A step; its sentence begins with a small letter where a person would write one after a colon."""
    return Step(step=name, passed="yes" if passed else "no", sentence=sentence[:1].upper() + sentence[1:], **about)


def at(time: str) -> str:
    """A time within a sentence: `2026-11-22 12:00:00 UTC`."""
    return f"{time[:19].replace('T', ' ')} UTC"


_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def long(seconds: float) -> str:
    """A stretch of time within a sentence: as a person sets it where it is whole (`36h`), else about so long (`28d`)."""
    whole = round(seconds)
    for unit, size in _UNITS:
        if whole >= size and whole % size == 0 and whole // size < 100:
            return f"{whole // size}{unit}"
    return next((f"{round(whole / size)}{unit}" for unit, size in _UNITS if whole >= 1.9 * size), f"{whole}s")


def number(value: float) -> str:
    """A confidence within a sentence, so that one that is too low does not look as if it reached the bound."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
