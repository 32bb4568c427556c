"""`python -m benchmarks [NAME …]`: measures, prints a table, writes `benchmarks/results.json`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog
from rich.console import Console
from rich.table import Table

from benchmarks.measure import SCALES, Figure, Kind, be_patient, machine
from benchmarks.plots import write_plots

SUBJECTS = {
    "stream": "stream_hop",
    "peers": "peers",
    "keywords": "keywords",
    "firehose": "firehose",
    "classify": "classify",
    "judgement": "judgement",
    "store": "store",
    "pipeline": "pipeline",
    "workers": "workers",
    "arrival": "arrival",
    "deliver": "deliver",
    "live": "live",
    "start": "start",
    "matching": "matching",
    "pages": "pages",
    "growth": "growth",
    "load": "load",
}
RESULTS = Path(__file__).parent / "results.json"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measures exowatch beside its limits and peers.", epilog="docs/benchmarks.md"
    )
    parser.add_argument("subjects", nargs="*", metavar="NAME", help=f"any of {', '.join(SUBJECTS)}; none means all")
    parser.add_argument("--full", action="store_true", help="the big sizes and more repeats: tens of minutes")
    parser.add_argument("--quick", action="store_true", help="tiny: shows that it works, its figures mean nothing")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the JSON goes (default: benchmarks/results.json)")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="where `growth` draws how cost grows, as SVG")
    parser.add_argument("--set", type=Path, metavar="FOLDER", help="a public set of claims for `matching`, else left out")
    parser.add_argument(
        "--patience",
        type=float,
        default=0,
        metavar="MINUTES",
        help="for so long, wait until nothing else runs on the machine, and measure again what was disturbed",
    )
    given = parser.parse_args(arguments)
    unknown = [name for name in given.subjects if name not in SUBJECTS]
    if given.set and not given.set.is_dir():
        parser.error(f"--set: there is no folder {given.set}; docs/benchmarks.md says what it holds")
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; known are {', '.join(SUBJECTS)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    be_patient(given.patience * 60)
    kind: Kind = "quick" if given.quick else "full" if given.full else "normal"
    figures: list[Figure] = []
    for found in measure(given.subjects or list(SUBJECTS), kind, given.set):
        figures += found
        # After each subject, so that an interrupted run leaves what it has.
        given.output.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")
    show(figures)
    for file in write_plots(figures, given.plots) if given.plots else ():
        print(file)
    return 0


def measure(names: list[str], kind: Kind, claim_set: Path | None = None) -> Iterator[list[Figure]]:
    """The figures of these subjects, one subject after the other; `claim_set` is for matching."""
    here = asyncio.run(machine())
    for name in names:
        started = time.perf_counter()
        subject = importlib.import_module(f"benchmarks.{SUBJECTS[name]}")
        given = (claim_set,) if name == "matching" else ()
        figures = asyncio.run(subject.run(SCALES[kind], *given))
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        yield [msgspec.structs.replace(figure, machine=here) for figure in figures]


def show(figures: list[Figure]) -> None:
    """The table."""
    table = Table(box=None, pad_edge=False)
    for title, where in (
        ("figure", "left"),
        ("value", "right"),
        ("min – max", "right"),
        ("against", "left"),
        ("ratio", "right"),
        ("", "left"),
    ):
        table.add_column(title, justify=where, overflow="fold")  # type: ignore[arg-type]
    for one in figures:
        other = one.limit or one.peer
        mark = {True: "ok", False: "MISSED", None: ""}[one.reached]
        table.add_row(
            one.name,
            f"{one.value:,g} {one.unit}",
            f"{one.spread.min:,g} – {one.spread.max:,g}",
            "" if other is None else f"{other.name}: {other.value:,g}",
            "" if one.ratio is None else f"{one.ratio:.2f}" + (f" ({one.wanted})" if one.wanted else ""),
            mark,
        )
    Console(width=None if sys.stdout.isatty() else 170).print(table)


if __name__ == "__main__":
    sys.exit(main())
