"""The fuzzer of `make fuzz` follows coverage, does the same again, and says what it found."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.guide import Guide

ROOT = Path(__file__).resolve().parents[1]
NESTED = """
def judge(text):
    if "?" in text:
        if text.startswith("#"):
            if text.endswith("%"):
                raise ValueError("found")
"""


@pytest.fixture
def target(tmp_path: Path) -> Callable[[str], None]:
    """Code with a fault behind three conditions, none of which is worth anything by itself to one who does not watch."""
    file = tmp_path / "nested.py"
    file.write_text(NESTED)
    spec = importlib.util.spec_from_file_location("nested", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str], None] = module.judge
    return found


def texts_until_found(guide: Guide, target: Callable[[str], None], most: int) -> int | None:
    for tried in range(most):
        try:
            guide.follow(target, guide.next())
        except ValueError:
            return tried
    return None


def test_a_fault_behind_several_conditions_is_found_by_watching_and_the_same_way_again(
    target: Callable[[str], None], tmp_path: Path
) -> None:
    watching = [texts_until_found(Guide(["exosomes"], [tmp_path], seed), target, 40_000) for seed in (1, 2, 1)]
    assert None not in watching
    assert watching[0] == watching[2]
    blind = Guide(["exosomes"], [tmp_path / "elsewhere"], 1)
    assert texts_until_found(blind, target, 5_000) is None, "what is found without watching proves nothing"


def test_the_classifier_stands_a_short_run(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", "--texts", "20", "--seconds", "60"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "no quote outside its text" in answer.stdout
