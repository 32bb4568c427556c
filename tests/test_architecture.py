"""The house rules that imports can break: which part may know which, and that only the topic pack knows the topic."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted([*ROOT.glob("monitor/**/*.py"), *ROOT.glob("workers/**/*.py")])
EVERY_FILE = sorted(
    file for folder in ("monitor", "workers", "tests", "benchmarks", "training") for file in ROOT.glob(f"{folder}/**/*.py")
)
# Alembic runs the files of `migrations` by their paths: they are no package.
PACKAGES = sorted({file.parent.relative_to(ROOT) for file in EVERY_FILE if "migrations" not in file.parts})
# A word that no module may hold for each shipped pack: its name without the ending (exosomes, exosome, exosomal).
TOPICS = sorted(file.parent.name.removesuffix("s").removesuffix("e") for file in ROOT.glob("config/topics/*/topic.yaml"))
WINGS = ("monitor.collectors", "workers", "monitor.api")
TOGETHER = ("monitor.daemon", "monitor.children", "monitor.demo", "monitor.cli", "monitor.__main__")
# Each floor may stand on those below it, never the other way round.
FLOORS = (
    (
        "monitor.words",
        "monitor.ids",
        "monitor.times",
        "monitor.notices",
        "monitor.lines",
        "monitor.cells",
        "monitor.extras",
        "monitor.settings",
        "monitor.telemetry",
        "monitor.systemd",
        "monitor.tracing",
        "monitor.tracing_otel",
        "monitor.watchdog",
        "monitor.pause",
        "monitor.restarts",
        "monitor.waits",
        "monitor.addresses",
        "monitor.net",
        "monitor.datadir",
        "monitor.pseudonyms",
        "monitor.alive",
    ),
    ("monitor.stream", "monitor.embedded", "monitor.store", "monitor.topic", "monitor.events", "monitor.explain"),
    (
        "monitor.intake",
        "monitor.connections",
        "monitor.leasing",
        "monitor.metrics",
        "monitor.heartbeats",
        "monitor.readiness",
        "monitor.deletions",
        "monitor.edits",
        "monitor.retention",
        "monitor.forgotten",
        "monitor.event_types",
        "monitor.export",
        "monitor.post_files",
        "monitor.moving",
        "monitor.backup",
    ),
    WINGS,
    TOGETHER,
)


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("monitor", "workers")}


def inside(name: str, packages: tuple[str, ...]) -> str | None:
    return next((package for package in packages if name == package or name.startswith(package + ".")), None)


def floor_of(name: str) -> int | None:
    return next((number for number, floor in enumerate(FLOORS) if inside(name, floor)), None)


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_no_wing_imports_another_and_no_arrow_runs_up(file: Path) -> None:
    here = module_of(file)
    if here == "monitor":
        return
    assert floor_of(here) is not None, f"{here} stands on no floor: say in tests/test_architecture.py where it belongs"
    for name in imports_of(file) - {"monitor", "workers", "monitor.__version__"}:
        there = floor_of(name)
        if there is None:
            continue
        assert there <= floor_of(here), f"{here} imports {name}, which stands above it"
        if inside(here, WINGS) and inside(name, WINGS):
            assert inside(here, WINGS) == inside(name, WINGS), f"{here} imports {name}: the wings never know each other"


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_only_the_topic_packs_know_their_topics(file: Path) -> None:
    text = file.read_text().lower().replace('name = "exosomes"', "")  # the default of the setting `topic`
    for stem in TOPICS:
        assert stem not in text


def test_what_is_looked_for_in_the_code_are_the_packs_that_are_shipped() -> None:
    assert "exosom" in TOPICS
    assert len(TOPICS) >= 2


@pytest.mark.parametrize("file", EVERY_FILE, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_file_grows_beyond_what_one_reads_in_one_go(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    assert lines <= 400 or (file not in FILES and "Longer than 400 lines: " in docstring(file)), f"{lines} lines; split it"


def sentences(text: str) -> int:
    """How many end in it: a stop, and then a capital letter, a quoted name or nothing."""
    return len(re.findall(r"[.!?](?=\s+[A-Z`]|$)", text))


def docstring(file: Path) -> str:
    return ast.get_docstring(ast.parse(file.read_text())) or ""


@pytest.mark.parametrize("folder", PACKAGES, ids=str)
def test_each_package_says_in_one_sentence_what_lives_there(folder: Path) -> None:
    first = docstring(ROOT / folder / "__init__.py").partition("\n\n")[0]
    assert sentences(first) == 1, f"{folder}/__init__.py: one sentence, then a blank line before anything else"
    assert first.endswith(".")
    assert len(first) <= 150


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_each_module_says_what_it_is(file: Path) -> None:
    assert docstring(file), f"{file.relative_to(ROOT)}: a docstring on top says what the module is for"
