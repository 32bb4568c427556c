"""`exowatch evidence check` as an editor runs it: on the shipped register, and on one with a slip in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.test_cli_query import exowatch
from tests.test_second_topic import write_pack

SOURCE = '{id: BREAD-REVIEW, citation: A review of fermented wheat, kind: review, url: "https://example.org/bread", year: 2025}'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config file of a small pack in which all is well."""
    write_pack(tmp_path)
    file = tmp_path / "monitor.toml"
    file.write_text('topic = "bread"\ndata_dir = "data"\n')
    return file


def checked(config: Path, file: str = "", old: str = "", new: str = "") -> subprocess.CompletedProcess[str]:
    """The answer of `evidence check` after one change in a file of the pack."""
    if file:
        path = config.parent / "topics/bread" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
    return exowatch("evidence", "check", "--config", config)


def test_the_shipped_register_passes(tmp_path: Path) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text('data_dir = "data"\n')
    answer = exowatch("evidence", "check", "--config", config)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert ": 0 problems, " in answer.stdout.splitlines()[-1]
    shown = exowatch("evidence", "show", "better-than-microneedling-alone", "--config", config).stdout
    for part in (
        "as of 2026-01-28",
        "global: unsupported",
        "only for route: topical",
        "controlled trial, n=25, 2020",
        "https://doi.org/",
    ):
        assert part in shown, "proposition, verdicts, scope, date, and of each source the kind, the number and the address"


def test_a_small_register_without_fault_passes_in_one_line(config: Path) -> None:
    answer = checked(config)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.endswith("0 problems, 0 with an old record, 0 citations to be checked, 0 loose ends\n")
    assert answer.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (
            "register/all.yaml",
            f"\n      - {SOURCE}",
            " []",
            "cures-coeliac-disease: no citation; a verdict needs at least one source",
        ),
        (
            "register/all.yaml",
            ', url: "https://example.org/bread"',
            "",
            "cures-coeliac-disease: citation BREAD-REVIEW has no address; it was found on a page, so name it",
        ),
        (
            "register/all.yaml",
            "verdicts: {global: contradicted}",
            "verdicts: {US: supported}\n    clashes: [made-of-flour]",
            "cures-coeliac-disease and made-of-flour cannot both be supported for US",
        ),
        ("register/all.yaml", "2026-03-01", "2099-03-01", "cures-coeliac-disease: as of 2099-03-01, which is in the future"),
        (
            "lexicon/claims/composition.yaml",
            "entry: made-of-flour",
            "entry: made-of-rye",
            "claim made-of-flour: the register has no entry 'made-of-rye'; add it there",
        ),
    ],
    ids=["no citation", "no address", "clash", "date in the future", "entry that is not there"],
)
def test_a_fault_is_one_sentence_and_the_exit_status_says_so(config: Path, file: str, old: str, new: str, says: str) -> None:
    answer = checked(config, file, old, new)
    assert answer.returncode == 1
    assert says in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("register/all.yaml", "2026-03-01", "2019-03-01", "cures-coeliac-disease: as of 2019-03-01, which is"),
        (
            "lexicon/claims/composition.yaml",
            "    entry: made-of-flour\n",
            "",
            "made-of-flour: no claim of the lexicon names this entry",
        ),
        (
            "register/all.yaml",
            "year: 2025}",
            "year: 2025, mark: from memory}",
            "BREAD-REVIEW: cited from memory in one entry; look it up",
        ),
    ],
    ids=["old record", "entry that no claim names", "citation from memory"],
)
def test_what_an_editor_should_look_at_is_said_and_is_no_fault(config: Path, file: str, old: str, new: str, says: str) -> None:
    answer = checked(config, file, old, new)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith(says)
    assert ": 0 problems, " in answer.stdout
