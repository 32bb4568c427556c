"""What the docs and the commands' own help tell a user to type, taken apart as a shell and click would."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from monitor.cli import cli

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
_SHELLS = ("", "sh")
_INNER = re.compile(r"\$\([^()]*\)")  # what a shell puts in from another command
_SET = re.compile(r"[A-Z][A-Z0-9_]*=")


class Typed(NamedTuple):
    """One call of exowatch: where it is named, its words, and what stands before it in a pipe."""

    where: str
    words: tuple[str, ...]
    piped: str = ""

    @property
    def line(self) -> str:
        return shlex.join(self.words)


def calls_in(line: str, where: str) -> Iterator[Typed]:
    """The calls of exowatch in a line of a shell, without comments, redirections and what is set for the call alone."""
    if "exowatch" not in line:
        return
    lexer = shlex.shlex(_INNER.sub("inner", line), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    part: list[str] = []
    before = ""
    for token in [*lexer, ";"]:
        if not set(token) <= set("|&;<>") or not token:
            part.append(token)
            continue
        while part and _SET.match(part[0]):
            part = part[1:]
        if part and part[0].removeprefix(".venv/bin/") == "exowatch":
            yield Typed(where, tuple(part[1:]), before)
        before = " ".join(part[1:]) if part and token == "|" and part[0] == "echo" else ""
        part = ["redirected"] if ">" in token or "<" in token else []


def calls_of_docs() -> Iterator[Typed]:
    """Those of every block of commands in README and docs."""
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))):
        blocks = _BLOCK.findall(file.read_text(encoding="utf-8"))
        for block in (text for language, text in blocks if language in _SHELLS):
            for line in block.replace("\\\n", " ").splitlines():
                yield from calls_in(line, str(file.relative_to(ROOT)))


def commands(group: click.Command = cli, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command by its full name, `evidence show`, groups included, in the order of help."""
    if name:
        yield name, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for word in group.list_commands(context):
            below = group.get_command(context, word)
            assert below is not None
            yield from commands(below, f"{name} {word}".strip())


def examples() -> Iterator[Typed]:
    """Those of the commands' own help."""
    for name, command in commands():
        for line in re.sub(r"^Example: +", "", command.epilog or "", flags=re.M).splitlines():
            yield from calls_in(line, f"exowatch {name} --help")


def parse(typed: Typed) -> str:
    """The full name of the command that is called. Raises click's UsageError where it would not take the words."""
    group: click.Command = cli
    context = cli.make_context("exowatch", list(typed.words))
    name = ""
    while isinstance(group, click.Group):
        rest = [*context._protected_args, *context.args]  # a group keeps the name of the command apart
        if not rest:
            return name
        word, below, rest = group.resolve_command(context, list(rest))
        assert below is not None
        name, group = f"{name} {word}".strip(), below
        context = below.make_context(word or "", list(rest), parent=context)
    return name
