"""`make mutants`: changes the code of `workers/` in one place at a time, and tells which changes no test notices.

mutmut makes the changes (mutants): a number one more, a comparison turned round, an argument left out. Each is tried in a copy of
the checkout, by the tests that run its line, quick ones first. One that they let pass has survived: either the tests miss
something, or the change makes no difference to anybody. docs/mutants.md says how many die, and what the survivors are made of.

    python -m tests.mutants                            a sample of 300
    python -m tests.mutants --sample 50 --seed 2       another one
    python -m tests.mutants workers/judge.py           of these files alone
    python -m tests.mutants --only workers/judge.py:12 this one: its change, and what the tests say

What is made is kept in `build/mutants`: which test runs which line (ten minutes), and what became of each mutant, by the contents
of its file. Started again, it goes on where it was, and tries survivors anew once the tests have changed. One trial of twenty is
of unchanged code, which must live.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import itertools
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import libcst as cst
from coverage import CoverageData
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "mutants"
SECONDS = 45.0  # of tests that a mutant meets at most: one that takes longer to be noticed counts as a survivor
HANGS = 240.0  # seconds after which a trial counts as one that hangs: noticed, since tests have limits of their own
PYTEST = ["-x", "-q", "-p", "no:cacheprovider", "--timeout", "60", "--no-header", "--tb", "line"]
DEAD = ("killed", "hangs")
CONTROLS = 20  # one mutant of so many is tried unchanged too
LEFT_OUT = "not postgresql"  # what of `workers/` a test sees on it, it sees on SQLite too
ELSEWHERE = re.compile(r"\b(running_daemon|launcher|many_servers|mortal_worker|browser)\b")


@dataclass(frozen=True)
class Mutant:
    """One change: the how-manieth of its file, and where it stands."""

    file: str
    number: int
    line: int
    within: tuple[int, int]
    function: str
    module: cst.Module
    mutation: Mutation

    @property
    def source(self) -> str:
        """The file with the change in it."""
        return self.module.deep_replace(self.mutation.original_node, self.mutation.mutated_node).code

    @property
    def name(self) -> str:
        """The file and the number in it, as `--only` takes it."""
        return f"{self.file}:{self.number}"


@dataclass(frozen=True)
class Fate:
    """What became of a mutant: killed, survived, hangs, or untested where no test runs its line. Code and tests as hashes."""

    name: str
    line: int
    function: str
    code: str
    tests: str
    fate: str
    by: str = ""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Tells which changes to workers/ no test notices.")
    parser.add_argument("files", nargs="*", help="of these files alone")
    parser.add_argument("--sample", type=int, default=300, metavar="N", help="so many of all mutants, at random")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument("--only", metavar="FILE:NUMBER", help="this mutant: its change, and what the tests say")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="so many at a time")
    parser.add_argument("--map", action="store_true", help="ask anew which tests run which line")
    options = parser.parse_args()
    files = options.files or sorted(str(p.relative_to(ROOT)) for p in (ROOT / "workers").rglob("*.py"))
    BUILD.mkdir(parents=True, exist_ok=True)
    lanes = [copy_of_checkout(BUILD / f"lane{number}") for number in range(options.jobs)]
    tests = tests_by_line(lanes[0], options.map)
    if options.only:
        show(options.only, lanes[0], tests)
        return
    everyone = [mutant for file in files for mutant in mutants_of(file)]
    chosen = random.Random(options.seed).sample(everyone, min(options.sample, len(everyone)))
    fates = tried(chosen, lanes, tests)
    print(report(fates, len(everyone)) if fates else "none chosen")


def mutants_of(file: str) -> list[Mutant]:
    """Every mutant of a file's functions, in the order of the file."""
    code = (ROOT / file).read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(code))
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    wrapper.visit(visitor)
    positions = wrapper.resolve(PositionProvider)
    made: list[Mutant] = []
    for mutation in visitor.mutations:
        within = mutation.contained_by_top_level_function
        if not isinstance(within, cst.FunctionDef):
            continue  # data of the module, not a function's work
        line, lines = positions[mutation.original_node].start.line, positions[within]
        made.append(
            Mutant(file, len(made), line, (lines.start.line, lines.end.line), within.name.value, wrapper.module, mutation)
        )
    return made


def copy_of_checkout(folder: Path) -> Path:
    """What git tracks, as it is now, with `../shared` beside it; the folder itself."""
    checkout = folder / "main"
    shutil.rmtree(folder, ignore_errors=True)
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, names.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, checkout / name)
    if (ROOT.parent / "shared").exists():
        (folder / "shared").symlink_to((ROOT.parent / "shared").resolve())
    return checkout


@dataclass(frozen=True)
class Tests:
    """Which tests run which line of which file, and how long each takes."""

    by_line: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]

    def for_mutant(self, mutant: Mutant) -> list[str]:
        """Quick ones first: the tests that run its line, then those beside them, since what is kept is made by the first alone.

        A line in the midst of a statement, and one with defaults, is none that runs: the nearest of the same function is.
        """
        run = self.by_line.get(mutant.file, {})
        first, last = mutant.within
        near = sorted(range(first, last + 1), key=lambda line: (abs(line - mutant.line), line))
        direct = next((run[line] for line in near if run.get(line)), [])
        files = {test.split("::")[0] for test in direct}
        beside = [test for test in self.seconds if test.split("::")[0] in files and test not in set(direct)]
        left, taken = SECONDS, []
        for test in (*sorted(direct, key=self.seconds.__getitem__), *sorted(beside, key=self.seconds.__getitem__)):
            left -= self.seconds[test]
            if left < 0 and taken:
                break
            taken.append(test)
        return taken


def tests_by_line(checkout: Path, anew: bool) -> Tests:
    """From `build/mutants/tests.json`, and from a run of those files of tests that are new or changed since it was made."""
    kept = BUILD / "tests.json"
    code, files = (
        _hash(*sorted((ROOT / "workers").rglob("*.py"))),
        {file: _hash(checkout / file) for file in reading_tests(checkout)},
    )
    made = json.loads(kept.read_text()) if kept.exists() and not anew else {}
    if made.get("code") != code:  # its lines stand elsewhere now
        made = {"code": code, "files": {}, "seconds": {}, "by_line": {}}
    changed = [file for file, is_now in files.items() if made["files"].get(file) != is_now]
    if changed:
        for old in BUILD.glob("lines*"):
            old.unlink()
        (BUILD / "seconds.txt").unlink(missing_ok=True)
        print(f"asking which lines are run by {len(changed)} files of tests", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "pytest", "-n", "auto", "-q", "-p", "tests.lines_run", "-k", LEFT_OUT, *PYTEST[2:]]
        print(ended([*command, *changed], checkout, 3600)[1][-2000:], file=sys.stderr, flush=True)
        made["files"] = files
        add_lines_and_seconds(made, set(changed), checkout)
        kept.write_text(json.dumps(made))
    return Tests({file: {int(n): t for n, t in lines.items()} for file, lines in made["by_line"].items()}, made["seconds"])


def reading_tests(checkout: Path) -> list[str]:
    """The files of tests without those that start daemons or browsers, which run `workers/` where nobody watches it."""
    files = sorted((checkout / "tests").glob("test_*.py"))
    return [str(file.relative_to(checkout)) for file in files if not ELSEWHERE.search(file.read_text(encoding="utf-8"))]


def add_lines_and_seconds(made: dict[str, Any], files: set[str], checkout: Path) -> None:
    """What the run of these files wrote down, in place of what was known of them, without the tests that failed in it."""

    def is_kept(test: str) -> bool:
        return test.split("::", maxsplit=1)[0] not in files

    seconds = {test: took for test, took in made["seconds"].items() if is_kept(test)}
    for line in (BUILD / "seconds.txt").read_text().splitlines():
        test, took, passed = line.split("\t")
        if passed == "passed":
            seconds[test] = float(took)
    by_line: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file, lines in made["by_line"].items():
        for number, tests in lines.items():
            by_line[file][number] |= {test for test in tests if is_kept(test)}
    for part in BUILD.glob("lines.*"):
        data = CoverageData(str(part))
        data.read()
        for measured in data.measured_files():
            name = str(Path(measured).relative_to(checkout))
            for line_number, contexts in data.contexts_by_lineno(measured).items():
                by_line[name][str(line_number)] |= {context for context in contexts if context in seconds}
    made["seconds"], made["by_line"] = seconds, {f: {n: sorted(t) for n, t in lines.items()} for f, lines in by_line.items()}


def tried(mutants: Sequence[Mutant], lanes: Sequence[Path], tests: Tests) -> list[Fate]:
    """The fate of each, from `build/mutants/fates.jsonl` where it is known."""
    kept = BUILD / "fates.jsonl"
    lines = kept.read_text().splitlines() if kept.exists() else []
    now = _hash(*sorted((ROOT / "tests").rglob("*.py")))
    known = {(fate.name, fate.code): fate for fate in (Fate(**json.loads(line)) for line in lines)}
    known = {key: fate for key, fate in known.items() if fate.fate in DEAD or fate.tests == now}
    free: SimpleQueue[Path] = SimpleQueue()
    for lane in lanes:
        free.put(lane)

    def one(mutant: Mutant) -> Fate:
        code = _hash(ROOT / mutant.file)
        if (mutant.name, code) in known:
            return known[mutant.name, code]
        lane = free.get()
        try:
            fate, by = trial(mutant, mutant.source, lane, tests)
            if mutant.number % CONTROLS == 0 and fate != "untested":
                unchanged = trial(mutant, (ROOT / mutant.file).read_text(encoding="utf-8"), lane, tests)
                if unchanged[0] != "survived":
                    print(f"unchanged code died too: {mutant.name} {unchanged[0]} {unchanged[1]}", file=sys.stderr, flush=True)
        finally:
            free.put(lane)
        return Fate(mutant.name, mutant.line, mutant.function, code, now, fate, by)

    fates = []
    with ThreadPoolExecutor(len(lanes)) as pool, kept.open("a") as record:
        for fate in pool.map(one, mutants):
            fates.append(fate)
            if (fate.name, fate.code) not in known:
                record.write(json.dumps(asdict(fate)) + "\n")
                record.flush()
            if sys.stderr.isatty():
                print(f"\r{len(fates)} of {len(mutants)}", end="", file=sys.stderr)
    return fates


def trial(mutant: Mutant, source: str, lane: Path, tests: Tests) -> tuple[str, str]:
    """Runs a mutant's tests with this as its file; what became of it, and the test that noticed it."""
    chosen = tests.for_mutant(mutant)
    if not chosen:
        return "untested", ""
    place, arguments = lane / mutant.file, lane.parent / "tests.txt"
    arguments.write_text("\n".join(chosen))
    before = place.read_bytes()
    try:
        _write(place, source.encode())
        status, said = ended([sys.executable, "-m", "pytest", *PYTEST, f"@{arguments}"], lane, HANGS)
    finally:
        _write(place, before)
    if status == 0:
        return "survived", ""
    if status is None:
        return "hangs", ""
    if "not found: " in said:
        raise SystemExit(f"mutants: a test is no longer there; run with --map\n{said[-500:]}")
    noticed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.M)
    return "killed", noticed[1] if noticed else said[-200:]


def ended(command: Sequence[str], checkout: Path, seconds: float) -> tuple[int | None, str]:
    """Exit status (None where it had to be ended) and output of a command in the copy, whose imports come from there too."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "LINES_RUN": str(BUILD)}
    with subprocess.Popen(
        command,
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with the servers that it started
            return None, ""
    return process.returncode, said


_changes = itertools.count(1_600_000_000)


def _write(place: Path, contents: bytes) -> None:
    """Each time with another second of change, by which Python tells whether what it compiled is still right."""
    place.write_bytes(contents)
    second = next(_changes)
    os.utime(place, (second, second))


def show(name: str, lane: Path, tests: Tests) -> None:
    """One mutant's change, and what becomes of it."""
    file, number = name.rsplit(":", 1)
    mutant = mutants_of(file)[int(number)]
    print("".join(change(mutant)))
    print(*trial(mutant, mutant.source, lane, tests))


def change(mutant: Mutant) -> Iterator[str]:
    """The lines that it changes."""
    before = (ROOT / mutant.file).read_text(encoding="utf-8").splitlines(keepends=True)
    after = mutant.source.splitlines(keepends=True)
    return (line for line in difflib.unified_diff(before, after, n=0) if not line.startswith(("---", "+++")))


def report(fates: Sequence[Fate], of: int) -> str:
    """How many died, with the interval in which the share of all lies, by file, and the survivors with their change."""
    dead = sum(fate.fate in DEAD for fate in fates)
    low, high = wilson(dead, len(fates))
    lines = [f"{len(fates)} of {of} mutants: {dead} died, {dead / len(fates):.3f} ({low:.3f} to {high:.3f})"]
    lines += [f"  {fate}: {count}" for fate, count in Counter(fate.fate for fate in fates).most_common()]
    by_file: dict[str, list[Fate]] = defaultdict(list)
    for fate in fates:
        by_file[fate.name.rsplit(":", 1)[0]].append(fate)
    lines += [f"  {f}: {sum(x.fate in DEAD for x in these)} of {len(these)}" for f, these in sorted(by_file.items())]
    for file, these in sorted(by_file.items()):
        left = [fate for fate in these if fate.fate not in DEAD]
        mutants = {mutant.name: mutant for mutant in mutants_of(file)} if left else {}
        for fate in sorted(left, key=lambda fate: fate.line):
            lines += [f"\n{fate.name} {fate.function} ({fate.fate})", "".join(change(mutants[fate.name])).rstrip()]
    return "\n".join(lines)


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share, in which it lies 95 times of 100."""
    share, spread = hits / of, z * z / of
    middle, half = share + spread / 2, z * math.sqrt(share * (1 - share) / of + spread / of / 4)
    return (middle - half) / (1 + spread), (middle + half) / (1 + spread)


def _hash(*files: Path) -> str:
    return hashlib.blake2b(b"".join(file.read_bytes() for file in files), digest_size=6).hexdigest()


if __name__ == "__main__":
    main()
