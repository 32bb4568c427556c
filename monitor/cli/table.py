"""A table on a terminal: each thing on one line, however narrow it is; ids whole, long texts cut."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 2
_LEAST = 12  # cells of a long column, before short ones are left out
_STYLES = {
    "contradicted": "red",
    "unsupported": "yellow",
    "supported": "green",
    "ok": "green",
    "failing": "yellow",
    "silent": "yellow",
    "down": "red",
    "disabled": "red",
    "dead": "red",
    "delivered": "green",
    "claim.new": "bold",
    "safety.signal": "bold red",
}


def show(columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> None:
    """Prints the rows under the headings; `columns` are the headings, and whether what is below may be cut."""
    # Colours go with NO_COLOR and on a terminal that has none; who asks for none of them means the bold headings too.
    console = Console(markup=False, highlight=False, emoji=False)
    if not rows:
        console.print(Text("Nothing found."))
        return
    wanted = [max(map(cell_len, cells)) for cells in zip([heading for heading, _ in columns], *rows, strict=True)]
    widths = fit(wanted, [heading for heading, _ in columns], [long for _, long in columns], console.width)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    shown = [place for place, width in enumerate(widths) if width]
    for place in shown:
        table.add_column(columns[place][0], no_wrap=True, overflow="ellipsis", width=widths[place])
    for row in rows:
        table.add_row(*(Text(row[place], style=_STYLES.get(row[place], "")) for place in shown))
    console.print(table)
    if left := [heading for place, (heading, _) in enumerate(columns) if not widths[place]]:
        print(f"No room for: {', '.join(left)}. A wider terminal shows it, --format json all.", file=sys.stderr)


def fit(wanted: Sequence[int], headings: Sequence[str], long: Sequence[bool], room: int) -> list[int]:
    """How wide each column is, 0 for one that there is no room for.

    Short columns are whole or left out, the last ones first, and ids and names last of all; long ones share what is left.
    """
    least = [min(width, _LEAST) if cut else width for width, cut in zip(wanted, long, strict=True)]
    kept = set(range(len(wanted)))

    def taken() -> int:
        return sum(least[place] + _GAP for place in kept) - _GAP

    for place in sorted(range(len(wanted)), key=lambda one: (headings[one] in ("id", "name"), long[one], -one)):
        if taken() <= room or len(kept) == 1:
            break
        kept.discard(place)
    widths = [least[place] if place in kept else 0 for place in range(len(wanted))]
    spare = room - taken()
    growing = [place for place in kept if wanted[place] > widths[place]]
    while spare > 0 and growing:
        growing.sort(key=lambda place: wanted[place] - widths[place])  # who needs least is done first
        place = growing.pop(0)
        more = min(wanted[place] - widths[place], spare // (len(growing) + 1))
        widths[place] += more
        spare -= more
    return widths
