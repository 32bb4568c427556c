"""`export`: whole lists as files."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from monitor.cli.database import opened
from monitor.cli.group import cli, settings_of
from monitor.cli.query import filter_options, filters_of
from monitor.export import FORMATS, KINDS, LISTED, FormatMissing, Kind, pages, writer
from monitor.settings import Settings
from monitor.store import FilterError, Filters
from monitor.store.filters import NAMES


@cli.command(epilog="Example:  exowatch export mentions --since 30d --format parquet --output mentions.parquet")
@click.argument("what", metavar=f"[{'|'.join(KINDS)}]", type=click.Choice(KINDS))
@click.option("--format", "how", type=click.Choice(FORMATS), default="jsonl", show_default=True, help="The file's format.")
@click.option(
    "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Where it goes (default: stdout)."
)
@filter_options("claims", "alerts", of_page=False)
@click.pass_context
def export(context: click.Context, /, what: Kind, how: str, output: Path | None, **given: Any) -> None:
    """Write all mentions, occurrences, claims or alerts that pass the filters to a file, newest first.

    However many they are, the memory that it takes stays the same. A file is only there once it is whole.
    """
    for name, value in given.items():
        if value and name not in NAMES[LISTED[what]]:
            about = " or ".join(of for of, names in NAMES.items() if name in names)
            raise click.UsageError(f"--{name} asks about {about}; export those", context)
    filters = filters_of(given, LISTED[what])
    if output is None and how == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for reading; name a file with --output FILE", context)
    try:
        with _destination(output) as out:
            asyncio.run(_export(settings_of(context), what, how, filters, out))
    except FormatMissing as error:
        raise click.ClickException(str(error)) from None
    except FilterError as error:
        raise click.UsageError(str(error), context) from None


@contextmanager
def _destination(output: Path | None) -> Iterator[IO[bytes]]:
    """Stdout, or a file that takes its name when it is whole. Raises ClickException."""
    if output is None:
        yield sys.stdout.buffer
        return
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(output)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}; name another file with --output") from None
    finally:
        part.unlink(missing_ok=True)


async def _export(settings: Settings, kind: Kind, how: str, filters: Filters, out: IO[bytes]) -> None:
    made = writer(how, kind)
    async with opened(settings) as database, aclosing(pages(database, kind, filters)) as found:
        with _progress() as progress:
            task = progress.add_task(kind, total=None, rows=0)
            out.write(made.begin())
            async for page in found:
                out.write(made.add(page))
                progress.update(task, advance=len(page), rows=progress.tasks[task].completed + len(page))
            out.write(made.end())
            out.flush()


def _progress() -> Progress:
    """How far it is, on a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.fields[rows]:,.0f} {task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
