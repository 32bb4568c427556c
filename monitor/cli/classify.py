"""`classify`: posts in, judgements out. No daemon is needed, and a data folder only for the daily cap of a model that costs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import IO, Any

import click
import msgspec

from monitor import words
from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.cli.judging import Judging, judging, together
from monitor.cli.output import plain
from monitor.lines import LineError, bounded_lines, text_of
from monitor.words import MAX_TEXT, compose_text
from workers.reader import Given


@cli.command(epilog="""Example:  echo '{"id": "1", "text": "These drops are FDA approved"}' | exowatch classify""")
@click.argument("file", type=click.File("rb"), default="-")
@click.pass_context
def classify(context: click.Context, file: IO[bytes]) -> int:
    """Judge the posts of FILE (- or nothing: stdin), one a line.

    A line that begins with { is an object with "text" and, where wanted, "id", "title" and "lang"; any other line is a text, and
    its id is the number of the line. Judgements are printed as JSON lines in the same order. A line that is neither goes to
    stderr, the others go on, and the exit status is 1.
    """
    log_as_asked(context, logging.WARNING)
    status = 0
    with judging(settings_of(context)) as judges:
        at_a_time, waiting = together(file), []
        for number, line, _ in bounded_lines(file):
            try:
                given = _read(number, line)
            except LineError as error:
                print(f"exowatch: line {number}: {plain(str(error))}", file=sys.stderr)
                status = 1
                continue
            if given is not None:
                waiting.append(given)
            if len(waiting) == at_a_time:
                _print(judges, waiting)
                waiting = []
        _print(judges, waiting)
    return status


def _print(judges: Judging, posts: Sequence[Given]) -> None:
    for weighed in judges.weigh(posts) if posts else ():
        sys.stdout.buffer.write(words.encode(weighed.judgement) + b"\n")
    sys.stdout.buffer.flush()  # whoever reads along sees each as it comes


def _read(number: int, line: bytes) -> Given | None:
    """The post of a line, None for an empty one. Raises LineError."""
    text = text_of(line)
    if not text:
        return None
    if not text.startswith("{"):
        return Given(str(number), text[:MAX_TEXT], None)
    try:
        raw = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise LineError(f"begins with {{ and is not JSON: {reason}") from None
    return _from_object(number, raw)


def _from_object(number: int, raw: dict[str, Any]) -> Given:
    if not isinstance(raw.get("text"), str):
        raise LineError('an object without "text"')
    for name in ("title", "lang"):
        if not isinstance(raw.get(name), str | None):
            raise LineError(f'"{name}" is not text')
    name = raw.get("id", number)
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise LineError('"id" is not text')
    text = compose_text(raw["title"], raw["text"]) if raw.get("title") else raw["text"]
    return Given(str(name), text[:MAX_TEXT], raw.get("lang"))
