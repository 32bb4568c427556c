"""A fuzzer that follows coverage, in plain Python: texts that reach new code are kept and changed further.

Seeded, so that a run of so many texts is the same run anywhere. What counts as new is a step from line to line that was not taken
before, or one taken twice, four times, eight times as often as ever: loops that a text drives far are found so as well.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

Step = tuple[CodeType, int, int]
TRACED = 400  # characters; following every line of a longer text would take most of the time

PIECES = (
    "exosomes", "Exosomen", "экзосомы", "엑소좀", "エクソソーム", "الإكسوسوم", "e x o s o m e s",
    "еxоsоmеs", "3x0s0m3s", "#exosomesFDAapproved", "FDA", "approved", "not", "never", "cure",
    "arthritis", "collagen", "300%", "20 billion", "2x10^10", "10⁹", "１２", "½", "٣", "ten-fold",
    "says", "my derm", "clinics claim", "no evidence", "/s", "is it true", "split-face", "n=28",
    "infection", "hospital", "no", "ohne", "sin", ".", "...", "?", "!", ",", ";", ":", "-", "—",
    '"', "“", "”", "«", "»", "'", "’", "(", ")", "[", "]", "{", "}", "%", "٪", "/", "\\", "#", "@",
    ">", "> ", "* ", " ", "  ", "\t", "\n", "\n\n", "\r\n", "\0", "\x1b[2J", "\u00a0", "\u00ad",
    "\u200b", "\u200d", "\u202e", "\u2028", "\ufeff", "\u0301", "\u0345", "\u3099", "\ud800",
    "\udfff", "\U000e0041", "👩🏽‍⚕️", "🧬", "ﷺ", "ß", "İ", "ı", "ŉ", "ﬁ", "Ⅷ", "㎏", "ᄀ", "각", "ー",
    "𝐞𝐱𝐨",
)  # fmt: skip


class Guide:
    """Texts to try next. `watched` are folders whose code counts as coverage."""

    def __init__(self, seeds: Sequence[str], watched: Sequence[Path], seed: int) -> None:
        self._dice = random.Random(seed)
        self._watched = tuple(str(folder) for folder in watched)
        self._most: dict[Step, int] = {}
        self.kept: list[str] = list(seeds)

    @property
    def steps(self) -> int:
        """How many steps from line to line have been taken."""
        return len(self._most)

    def next(self) -> str:
        """A kept text, changed in one to six places; the newest are changed most."""
        dice = self._dice
        text = self.kept[-1 - int(len(self.kept) * dice.random() ** 2)]
        for _ in range(dice.randint(1, 6)):
            text = dice.choice(CHANGES)(text, dice, self.kept)
        return text

    def follow(self, run: Callable[[str], Any], text: str) -> None:
        """Runs a text under watch and keeps it where it did something new. Raises what `run` raises."""
        steps: Counter[Step] = Counter()
        before = sys.gettrace()
        sys.settrace(self._tracer(steps))
        try:
            run(text[:TRACED])
        finally:
            sys.settrace(before)
            if self._new(steps):
                self.kept.append(text[:TRACED])

    def _new(self, steps: Counter[Step]) -> bool:
        new = False
        for step, times in steps.items():
            if times.bit_length() > self._most.get(step, 0):
                self._most[step] = times.bit_length()
                new = True
        return new

    def _tracer(self, steps: Counter[Step]) -> Callable[[FrameType, str, Any], Any]:
        watched = self._watched

        def called(frame: FrameType, event: str, arg: Any) -> Any:
            code = frame.f_code
            if not code.co_filename.startswith(watched):
                return None
            last = 0

            def stepped(frame: FrameType, event: str, arg: Any) -> Any:
                nonlocal last
                if event == "line":
                    steps[code, last, frame.f_lineno] += 1
                    last = frame.f_lineno
                return stepped

            return stepped

        return called


Change = Callable[[str, random.Random, Sequence[str]], str]


def _insert(text: str, dice: random.Random, kept: Sequence[str]) -> str:
    at = dice.randint(0, len(text))
    space = dice.choice(("", " "))
    return text[:at] + space + dice.choice(PIECES) + space + text[at:]


def _cut(text: str, dice: random.Random, kept: Sequence[str]) -> str:
    at, length = dice.randint(0, len(text)), dice.choice((1, 1, 2, 8, 40))
    return text[:at] + text[at + length :]


def _write(text: str, dice: random.Random, kept: Sequence[str]) -> str:
    at = dice.randint(0, len(text))
    highest = dice.choice((0x7F, 0x7F, 0x24F, 0x6FF, 0x30FF, 0xFFFF, 0x10FFFF))
    return text[:at] + chr(dice.randint(0, highest)) + text[at + 1 :]


def _double(text: str, dice: random.Random, kept: Sequence[str]) -> str:
    at = dice.randint(0, len(text))
    end = min(len(text), at + dice.choice((1, 3, 10, 60)))
    return (text[:end] + text[at:end] * dice.choice((1, 2, 7, 30)) + text[end:])[: 4 * TRACED]


def _splice(text: str, dice: random.Random, kept: Sequence[str]) -> str:
    other = dice.choice(kept)
    return text[: dice.randint(0, len(text))] + other[dice.randint(0, len(other)) :]


CHANGES: tuple[Change, ...] = (_insert, _insert, _insert, _cut, _write, _double, _splice)
