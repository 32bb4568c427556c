"""Plots of how cost grows, as SVG: `python -m benchmarks.plots FILE FOLDER` draws them anew from kept results."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import msgspec

from benchmarks.measure import Figure

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 44, 52  # what stands around the drawing, in units of it
_LINE_HIGH = 16
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#8d5aa3", "#a67c00", "#555555")  # told apart by colour-blind people too
_DASHES = ("", "6 3", "2 3")

Points = Sequence[tuple[float, float]]


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """One drawing. `lines` are what a line is called, by how the names of its figures begin: what follows, a comma and a number
    with what is counted, says how many there were."""

    file: str
    title: str
    across: str
    up: str
    lines: dict[str, str]
    log_across: bool = True
    log_up: bool = True


PLOTS = (
    Plot(
        file="growth-mentions.svg",
        title="What one asks for, by mentions stored",
        across="mentions stored",
        up="milliseconds",
        lines={
            f"growth: {what}, {where}": f"{short}, {where}"
            for where in ("SQLite", "PostgreSQL")
            for what, short in (
                ("Today", "Today"),
                ("page by time, type and text p99", "search page p99"),
                ("page of the newest p50", "newest page p50"),
            )
        },
    ),
    Plot(
        file="growth-insert.svg",
        title="Storing, by mentions stored",
        across="mentions stored",
        up="mentions a second",
        lines={f"growth: insert, {where}": where for where in ("SQLite", "PostgreSQL")},
        log_up=False,
    ),
    Plot(
        file="growth-disk.svg",
        title="Room that a mention takes",
        across="mentions",
        up="kB a mention",
        lines={
            "growth: disk, SQLite": "disk, SQLite",
            "growth: disk, PostgreSQL": "disk, PostgreSQL",
            "growth: Redis, waiting": "Redis, while it waits",
            "growth: Redis, done": "Redis, for three days after",
        },
        log_up=False,
    ),
    Plot(
        file="growth-claims.svg",
        title="What claims on record make dearer (SQLite)",
        across="claims on record",
        up="milliseconds",
        lines={
            "growth: all claims held against the register": "all held against the register",
            "growth: a batch of 100 with new claims": "100 with new claims stored",
            "growth: a batch of 100 with known claims": "100 with known claims stored",
            "growth: page of claims p50": "page of claims p50",
            "growth: an own claim joined": "an own claim joined",
        },
    ),
    Plot(
        file="growth-sources.svg",
        title="Processor time of a collector, by sources",
        across="sources",
        up="ms of processor time a second",
        lines={
            "growth: collector that polls every 10 s, processor": "each polled every 10 s",
            "growth: collector at rest, processor": "at rest",
        },
        log_across=False,
        log_up=False,
    ),
    Plot(
        file="growth-sources-memory.svg",
        title="Memory of a collector, by sources",
        across="sources",
        up="MB resident",
        lines={
            "growth: collector that polls every 10 s, memory": "each polled every 10 s",
            "growth: collector at rest, memory": "at rest",
        },
        log_across=False,
        log_up=False,
    ),
)


def write_plots(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """Draws each plot of which there are at least two points; the files that were written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for plot in PLOTS:
        lines = {name: points_of(figures, series) for series, name in plot.lines.items()}
        lines = {name: points for name, points in lines.items() if len(points) > 1}
        if lines:
            written.append(folder / plot.file)
            written[-1].write_text(drawn(plot, lines), encoding="utf-8")
    return written


def points_of(figures: Sequence[Figure], series: str) -> list[tuple[float, float]]:
    """(how many, the best value) of the figures whose names are the series', a comma, and how many of what."""
    found = []
    for figure in figures:
        name, _, size = figure.name.rpartition(", ")
        if name == series:
            # The best of the repeats: whatever else runs on the machine only makes things slower.
            best = figure.spread.max if figure.unit.endswith("/s") and figure.unit != "ms/s" else figure.spread.min
            found.append((float(size.split()[0].replace(",", "")), best))
    return sorted(found)


def drawn(plot: Plot, lines: Mapping[str, Points]) -> str:
    """The SVG: axes with their labels, a line and its dots each, and the lines' names at their right ends."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    across = _Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, log=plot.log_across)
    up = _Axis(min(ys), max(ys), HEIGHT - BOTTOM, TOP, log=plot.log_up)
    middle = (TOP + HEIGHT - BOTTOM) / 2
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif" font-size="12" fill="#222">',
        f"<title>{escape(plot.title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#fff"/>',
        _text(LEFT, 24, plot.title, 'font-size="15" font-weight="bold"'),
        *(_gridline(up.at(tick), tick) for tick in up.ticks),
        *(
            _text(across.at(tick), HEIGHT - BOTTOM + 18, _short(tick), 'text-anchor="middle" fill="#555"')
            for tick in across.ticks
        ),
        f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#777"/>',
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, plot.across, 'text-anchor="middle"'),
        _text(18, middle, plot.up, f'text-anchor="middle" transform="rotate(-90 18 {middle:g})"'),
    ]
    placed = _apart({name: up.at(points[-1][1]) for name, points in lines.items()})
    for place, (name, points) in enumerate(lines.items()):
        colour, dash = _COLOURS[place % len(_COLOURS)], _DASHES[place // len(_COLOURS) % len(_DASHES)]
        path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        for x, y in points:
            dot = f'<circle cx="{across.at(x):.1f}" cy="{up.at(y):.1f}" r="3.5" fill="{colour}">'
            parts.append(f"{dot}<title>{escape(name)}: {y:,g} at {x:,.0f}</title></circle>")
        end = (across.at(points[-1][0]), up.at(points[-1][1]))
        beside = WIDTH - RIGHT + 16
        leader = f'<path d="M{end[0] + 5:.1f} {end[1]:.1f}L{beside - 3} {placed[name]:.1f}"'
        parts.append(f'{leader} stroke="{colour}" stroke-width=".7" opacity=".6"/>')
        parts.append(_text(beside, placed[name] + 4, name, f'fill="{colour}"'))
    return "\n".join([*parts, "</svg>\n"])


class _Axis:
    """Where on the drawing a value lies."""

    def __init__(self, least: float, most: float, begin: float, end: float, *, log: bool) -> None:
        self._log = log
        self._begin, self._end = begin, end
        if log:
            low, high = math.floor(math.log10(least) + 1e-9), math.ceil(math.log10(most) - 1e-9)
            self.ticks = [10.0**n for n in range(low, max(high, low + 1) + 1)]
        else:
            step = _step(most)
            self.ticks = [step * n for n in range(math.ceil(most / step - 1e-9) + 1)]
        self._low, self._high = self._scaled(self.ticks[0]), self._scaled(self.ticks[-1])

    def at(self, value: float) -> float:
        return self._begin + (self._scaled(value) - self._low) / (self._high - self._low) * (self._end - self._begin)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self._log else value


def _step(most: float) -> float:
    """A round step that comes about five times."""
    rough = (most or 1.0) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    return next(size * n for n in (1, 2, 5, 10) if size * n >= rough)


def _apart(wanted: dict[str, float]) -> dict[str, float]:
    """Heights for names near those wanted, none on another."""
    names = sorted(wanted, key=lambda name: wanted[name])
    placed = {name: wanted[name] for name in names}
    for above, below in itertools.pairwise(names):
        placed[below] = max(placed[below], placed[above] + _LINE_HIGH)
    too_low = max(placed.values(), default=0) - (HEIGHT - BOTTOM + 8)
    return {name: at - too_low for name, at in placed.items()} if too_low > 0 else placed


def _gridline(y: float, tick: float) -> str:
    line = f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e4e4e4"/>'
    return line + _text(LEFT - 6, y + 4, _short(tick), 'text-anchor="end" fill="#555"')


def _text(x: float, y: float, words: str, more: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" {more}>{escape(words)}</text>'


def _short(value: float) -> str:
    """10,000, 0.5; a million in words."""
    return f"{value / 1e6:g} million" if value >= 1e6 else f"{value:,g}"


if __name__ == "__main__":
    kept = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=list[Figure])
    print("\n".join(str(file) for file in write_plots(kept, Path(sys.argv[2]))))
