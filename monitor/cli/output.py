"""Printing what was found: a table that fits the terminal, plain lines in a pipe, JSON, JSON lines, CSV.

Text from posts is hostile: what could steer a terminal or a spreadsheet does not reach it from a table or from CSV. JSON is
printed exactly as HTTP answers it.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, get_args

import click
import msgspec

from monitor import words
from monitor.cells import csv_cell, plain
from monitor.cli.table import show
from monitor.words import Page

__all__ = ["Column", "Format", "format_option", "plain", "print_json", "print_page", "print_table", "short_time"]

Format = Literal["table", "json", "jsonl", "csv"]
F = TypeVar("F", bound=Callable[..., Any])

_PIPE_TEXT = 500  # characters of one cell, where no terminal says how much fits


class Column(msgspec.Struct, frozen=True):
    """One column of a table: its heading, what stands in it, and whether it may be cut where room is short ."""

    heading: str
    cell: Callable[[Any], Any]
    long: bool = False


def format_option(function: F) -> F:
    """Adds --format."""
    return click.option(
        "--format", "how", type=click.Choice(get_args(Format)), default="table", show_default=True, help="How to print it."
    )(function)


def print_page(page: Page[Any], columns: Sequence[Column], how: Format) -> None:
    """A page of a list in the format asked for; where more follows, a table says how to see it."""
    if how == "json":
        print_json(page)
    elif how == "jsonl":
        for item in page.items:
            print_json(item)
    elif how == "csv":
        _print_csv(page.items)
    else:
        print_table(page.items, columns)
        if page.next is not None:
            print(f"More follow: add --cursor {page.next}", file=sys.stderr)


def print_json(value: Any) -> None:
    """One record as HTTP answers it."""
    sys.stdout.buffer.write(words.encode(value) + b"\n")


def print_table(items: Sequence[Any], columns: Sequence[Column]) -> None:
    """Items as a table on a terminal; in a pipe as lines of tab-separated cells after a line of headings."""
    rows = [[plain(_text(column.cell(item))) for column in columns] for item in items]
    if not sys.stdout.isatty():
        print("\t".join(column.heading for column in columns))
        for row in rows:
            print("\t".join(cell[:_PIPE_TEXT] for cell in row))
        return
    show([(column.heading, column.long) for column in columns], rows)


def _print_csv(items: Sequence[Any]) -> None:
    """Items as CSV with a row of names; what is nested stands in its cell as JSON."""
    if not items:
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(items[0].__struct_fields__)
    for item in items:
        writer.writerow(csv_cell(getattr(item, name)) for name in item.__struct_fields__)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}"
    return str(value)


def counted(number: int, noun: str, several: str | None = None) -> str:
    """So many of something, as a person says it: `1 mention`, `1,200 mentions`."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def short_time(time: str | None) -> str:
    """A time as tables show it, to the minute, in UTC."""
    return "" if time is None else time[:16].replace("T", " ")
