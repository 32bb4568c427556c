"""The table of faults survived."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from tests.campaign.checker import Verdict
from tests.campaign.faults import Fault

COLUMNS = (
    "fault",
    "times",
    "kills",
    "posts",
    "recovered in s",
    "lost",
    "twice",
    "alerts missing",
    "late order",
    "dead",
    "verdict",
)


@dataclass(frozen=True)
class Phase:
    """What one fault came to. `posts`: public by the end of it; `recovered_s`: from when it was mended until all was settled,
    None where that never came; `shown`: whether the fault broke what it is to break."""

    fault: Fault
    times: int
    kills: int
    posts: int
    recovered_s: float | None
    verdict: Verdict
    note: str | None = None
    shown: bool = True

    @property
    def good(self) -> bool:
        return self.verdict.good and self.recovered_s is not None and self.shown

    def cells(self) -> list[str]:
        found = self.verdict
        missing = found.unalerted + found.unheard
        recovered = "never" if self.recovered_s is None else f"{self.recovered_s:.1f}"
        numbers = (found.lost, found.twice, missing, found.late_order, found.dead)
        return [
            *(self.fault.name, str(self.times), str(self.kills), f"{self.posts:,}", recovered),
            *map(str, numbers),
            "survived" if self.good else "FAILED" if self.shown else "nothing shown",
        ]


def table(phases: list[Phase]) -> str:
    """All phases as a table in Markdown, and below it what has to be said in words."""
    rows = [list(COLUMNS), *(phase.cells() for phase in phases)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(COLUMNS))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    kills = sum(phase.kills for phase in phases)
    ends = {phase.fault.kind: phase.verdict for phase in phases}.values()  # of each installation, over all that it did
    again, refused = sum(end.again for end in ends), sum(end.refused for end in ends)
    lines.append("")
    lines.append(
        f"{len(phases)} phases, {kills} random kills; {sum(phase.good for phase in phases)} survived. "
        f"{again} alerts came again under the same webhook-id; {refused} deliveries were refused and sent again."
    )
    lines += [f"{phase.fault.name}: {phase.note}." for phase in phases if phase.note]
    lines += [f"{phase.fault.name}: {words}" for phase in phases for words in phase.verdict.words if not phase.good]
    return "\n".join(lines)


def progress(words: str) -> None:
    """One line on a terminal that the next one takes the place of; nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)
