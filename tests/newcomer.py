"""Does what a page of docs/contributing says, in a copy of the tree, as somebody would who has never seen the project."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("monitor", "workers", "config", "docs", "tests", "pyproject.toml")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
# What stands before a block says what becomes of it; the last such words count.
_WHERE = re.compile(
    r"New file `(?P<new>[^`]+)`:"
    r"|In\s+`(?P<file>[^`]+)`,\s+(?P<how>below|above|instead of)\s+`(?P<anchor>.+?)`:"
    r"|At the end of\s+`(?P<end>[^`]+)`:"
    r"|(?P<run>Run):"
    r"|(?P<prints>It prints):",
    re.S,
)


class Step(NamedTuple):
    """One block of a page: `how` it is used (new, end, below, above, instead of, run, prints), on which file, at which text."""

    how: str
    file: str
    anchor: str
    text: str


def steps(page: Path) -> Iterator[Step]:
    """The blocks of a page in their order. Raises AssertionError where one does not say what to do with it."""
    text = page.read_text(encoding="utf-8")
    at = 0
    for block in _FENCE.finditer(text):
        before = text[at : block.start()].rstrip()
        at = block.end()
        *_, said = [None, *_WHERE.finditer(before)]
        assert said is not None, f"{page.name}: nothing says where this goes:\n{block[2]}"
        assert said.end() == len(before), f"{page.name}: nothing says where this goes:\n{block[2]}"
        if said["file"]:
            yield Step(said["how"], said["file"], said["anchor"], block[2])
        else:
            how = next(name for name in ("new", "end", "run", "prints") if said[name])
            yield Step(how, said["new"] or said["end"] or "", "", block[2])


def copy_of_the_tree(folder: Path) -> Path:
    """A copy of what a clone holds, the model of the pack by a link."""
    tree = folder / "tree"
    tree.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("model", "pictures"))
        else:
            shutil.copyfile(source, tree / name)
    for model in (ROOT / "config" / "topics").glob("*/model"):
        (tree / model.relative_to(ROOT)).symlink_to(model)
    return tree


def change(tree: Path, step: Step) -> None:
    """Makes one change. Raises AssertionError where the page's words do not fit the tree."""
    file = tree / step.file
    if step.how == "new":
        assert not file.exists(), f"{step.file} is there already"
        file.write_text(step.text, encoding="utf-8")
        return
    text = file.read_text(encoding="utf-8")
    if step.how == "end":
        file.write_text(text.rstrip("\n") + "\n" + step.text, encoding="utf-8")
        return
    assert text.count(step.anchor) == 1, f"{step.file}: {step.anchor!r} stands there {text.count(step.anchor)} times"
    if step.how == "instead of":
        file.write_text(text.replace(step.anchor, step.text.rstrip("\n")), encoding="utf-8")
        return
    lines = text.splitlines(keepends=True)
    (at,) = (number for number, line in enumerate(lines) if step.anchor in line)
    lines.insert(at + (step.how == "below"), step.text)
    file.write_text("".join(lines), encoding="utf-8")


def run(tree: Path, commands: str) -> tuple[str, list[str]]:
    """What the commands of a page print, run one by one in the tree's own code, and the test files that it names, which are
    left for one run of all pages'. Raises AssertionError where a command fails."""
    said, tests = [], []
    for line in filter(None, commands.splitlines()):
        given, _, command = line.rpartition(" | ")
        name, *words = command.removeprefix(".venv/bin/").split()
        if name == "pytest":
            tests += words
            continue
        text = given.removeprefix("printf ").strip("'").replace("\\n", "\n")
        said.append(called(tree, line, {"exowatch": "monitor"}.get(name, name), *words, given=text))
    return "".join(said), tests


def called(tree: Path, line: str, *words: str, given: str = "") -> str:
    """What `python -m words…` prints. Raises AssertionError naming the `line` where it fails."""
    answer = subprocess.run([sys.executable, "-m", *words], cwd=tree, input=given, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, f"{line}\n{answer.stdout}\n{answer.stderr}"
    return answer.stdout


def follow(page: Path, tree: Path) -> list[str]:
    """Follows a page from its beginning to its end. Returns the tests that it says to run."""
    printed, tests = "", []
    for step in steps(page):
        if step.how == "run":
            printed, named = run(tree, step.text)
            tests += named
        elif step.how == "prints":
            for line in step.text.splitlines():
                assert line in printed, f"{page.name}: {line!r} is not in what was printed:\n{printed}"
        else:
            change(tree, step)
    return tests
