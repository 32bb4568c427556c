"""What the docs and the program's own messages tell a user to type is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from monitor import event_types
from monitor.cli import cli
from monitor.settings.sources import KINDS
from monitor.settings.sources.base import SourceSection

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("training/*.md")])
THREATS = ROOT / "docs" / "threat-model.md"
_FENCED = re.compile(r"^```.*?^```", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_QUOTED = re.compile(r"(?:`|Example: +|[|] )exowatch ([a-z]+)(?: ([a-z]+(?:-[a-z]+)*)\b)?")
_LINE = re.compile(r"^(?:\.venv/bin/)?exowatch ([a-z]+)(?: ([a-z]+(?:-[a-z]+)*)\b)?", re.M)


def _named() -> Iterator[tuple[Path, str, str | None]]:
    """Every command that a document or a message names, with what stands after it."""
    docs = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config" / "monitor.toml", *(ROOT / "docs").rglob("*.md")]
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


def _prose(page: Path) -> str:
    """What a page says outside its blocks of code."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """What its headings are called in links, as code hosts do it."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", _prose(page), re.M):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        same = sum(re.fullmatch(rf"{re.escape(name)}(?:-\d+)?", one) is not None for one in found)
        found.append(f"{name}-{same}" if same else name)
    return set(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_tree_leads_somewhere(page: Path) -> None:
    for target in _LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        assert not anchor or anchor in _anchors(there), target


def test_every_kind_of_alert_is_told_of() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z._]+)` \|", page.partition("## Which alerts")[2], re.M) == list(event_types.KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_a_source_stands_in_the_table_for_its_kind(kind: str) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| ([a-z, ]+) \|", page.partition("## `[[source]]`")[2], re.M)
    known = {name for names, kinds in rows if kind in kinds.split(", ") for name in re.findall(r"`([a-z_]+)`", names)}
    own = KINDS[kind].model_fields.keys() - SourceSection.model_fields.keys()
    assert own <= known
    assert f"`{kind}`" in (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")


def test_the_architecture_names_paths_that_are_there_and_every_package() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:monitor|workers|config|tests|docs)/[\w./-]*)`", page))
    assert len(named) > 60
    for path in named:
        assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file(), path
    for package in (
        file.parent.relative_to(ROOT) for wing in ("monitor", "workers") for file in ROOT.glob(f"{wing}/**/__init__.py")
    ):
        assert any(path.startswith(f"{package}/") for path in named), f"{package}: say in docs/architecture.md where it comes in"


@pytest.mark.parametrize("index", ["docs/README.md", "docs/decisions/README.md"])
def test_an_index_leaves_no_page_out(index: str) -> None:
    folder = (ROOT / index).parent
    listed = {target.partition("#")[0].removesuffix("README.md").rstrip("/") for target in _LINK.findall(_prose(ROOT / index))}
    there = {one.name for one in folder.iterdir() if one.is_dir() or one.suffix == ".md"} - {"README.md"}
    assert there <= listed, there - listed
