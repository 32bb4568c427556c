"""What the docs and the program's own messages tell a user to type is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from monitor.cli import cli

ROOT = Path(__file__).resolve().parents[1]
THREATS = ROOT / "docs" / "threat-model.md"
_FENCED = re.compile(r"^```.*?^```", re.M | re.S)
_QUOTED = re.compile(r"(?:`|Example: +|[|] )exowatch ([a-z]+)(?: ([a-z]+(?:-[a-z]+)*)\b)?")
_LINE = re.compile(r"^(?:\.venv/bin/)?exowatch ([a-z]+)(?: ([a-z]+(?:-[a-z]+)*)\b)?", re.M)


def _named() -> Iterator[tuple[Path, str, str | None]]:
    """Every command that a document or a message names, with what stands after it."""
    docs = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config" / "monitor.toml", *(ROOT / "docs").glob("*.md")]
    for file in [*docs, *(file for folder in ("monitor", "workers") for file in (ROOT / folder).rglob("*.py"))]:
        text = file.read_text(encoding="utf-8")
        for found in _QUOTED.finditer(text):
            yield file, found[1], found[2]
        for block in _FENCED.findall(text):
            for found in _LINE.finditer(block):
                yield file, found[1], found[2]


def test_every_command_that_is_named_exists() -> None:
    context = click.Context(cli)
    named = list(_named())
    assert len(named) > 40
    for file, name, below in named:
        command = cli.get_command(context, name)
        assert command is not None, f"{file}: exowatch {name}"
        if isinstance(command, click.Group) and below is not None:
            assert command.get_command(context, below) is not None, f"{file}: exowatch {name} {below}"


def test_the_threat_model_names_files_and_tests_that_are_there() -> None:
    named = re.findall(r"`((?:monitor|workers|tests)/[\w/]+(?:\.py|/))(?:::(\w+))?`", THREATS.read_text(encoding="utf-8"))
    assert len(named) > 50
    for file, test in named:
        assert (ROOT / file).exists(), file
        assert not test or re.search(rf"^(?:async )?def {test}\(", (ROOT / file).read_text(), re.M), f"{file}::{test}"
