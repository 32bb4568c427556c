"""The pages for newcomers in docs/contributing are followed to the letter, and what they say then works."""

from __future__ import annotations

from pathlib import Path

from tests.newcomer import ROOT, called, copy_of_the_tree, follow, steps

PAGES = sorted((ROOT / "docs" / "contributing").glob("*.md"))
LONGEST = 190  # lines, with all code


def test_the_pages_do_what_they_say_and_stand_in_no_others_way(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path)
    tests = [test for page in PAGES for test in follow(page, tree)]
    assert len(tests) >= len(PAGES) - 1, "a claim needs no test of its own"
    # What differs between databases is tested below the pages, and a second server takes longer than all the rest.
    words = ("-q", "-p", "no:cacheprovider", "-k", "not postgresql", *dict.fromkeys(tests))
    said = called(tree, "pytest", "pytest", *words)
    assert " passed" in said
    called(tree, "ruff format", "ruff", "format", "--check", "monitor", "workers", "tests")


def test_there_are_four_pages_and_each_ends_by_trying_what_was_made() -> None:
    assert [page.stem for page in PAGES] == ["add-a-claim", "add-a-page", "add-a-source", "add-an-alert-kind"]
    for page in PAGES:
        assert any(step.how == "run" for step in steps(page)), page.name
        assert len(page.read_text().splitlines()) <= LONGEST, page.name
