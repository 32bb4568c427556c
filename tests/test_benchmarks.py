"""`python -m benchmarks` runs and writes what docs/benchmarks.md says. How fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import measure
from benchmarks.__main__ import RESULTS, SUBJECTS
from benchmarks.measure import at_most, be_patient, beside, in_turn, quantile

ROOT = Path(__file__).resolve().parents[1]


def well_formed(figures: list[dict[str, object]]) -> None:
    for figure in figures:
        assert {"name", "value", "unit", "spread", "machine"} <= set(figure)
        assert set(figure["spread"]) == {"min", "median", "max", "repeats"}  # type: ignore[call-overload]
        assert set(figure["machine"]) == {"cpu", "cores", "python", "redis"}  # type: ignore[call-overload]
        against = figure.get("limit") or figure.get("peer")
        if against:
            assert set(against) == {"name", "value"}  # type: ignore[call-overload]
            assert figure["ratio"] > 0  # type: ignore[operator]


def test_a_quick_run_prints_a_table_and_writes_the_figures(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "classify", "start", "--output", str(output)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    figures = json.loads(output.read_text())
    well_formed(figures)
    assert {figure["name"] for figure in figures} >= {"classify", "start to ready"}
    assert "start to ready" in done.stdout


def test_an_unknown_name_is_one_clear_error() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks", "sppeed"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no benchmark 'sppeed'; known are " + ", ".join(SUBJECTS) in done.stderr


def test_the_kept_results_are_well_formed_and_name_no_place() -> None:
    text = RESULTS.read_text()
    well_formed(json.loads(text))
    assert "/tmp" not in text
    assert "/home" not in text


def test_ratios_are_taken_between_neighbours_and_say_whether_they_suffice() -> None:
    figure = beside("x", "1/s", [10, 100, 60], "peer", [10, 200, 60], 0.6)
    assert (figure.ratio, figure.reached, figure.wanted) == (1.0, True, "≥ 0.6")
    assert beside("x", "ms", [30], "peer", [10], 2, less=True).reached is False
    late = at_most("x", "ms", [40, 60, 70], 50, "limit")
    assert (late.value, late.ratio, late.reached) == (60, 1.2, False)


async def test_with_patience_a_round_that_was_disturbed_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = iter([0.0, 1.5, 0.0, 0.1])  # before and after the first round, and the same of its repetition
    taken = []

    async def cores_busy(_: float = 0) -> float:
        return next(busy)

    async def run() -> float:
        taken.append(len(taken))
        return float(len(taken))

    monkeypatch.setattr(measure, "cores_busy", cores_busy)
    monkeypatch.setattr(measure._Patience, "over_at", 0.0)
    assert await in_turn(1, run, warm_up=False) == [[1.0]], "without patience nothing is waited for"
    be_patient(60)
    assert await in_turn(1, run, warm_up=False) == [[3.0]]
    assert next(busy, None) is None


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile(list(range(100)), 0.99) == 99
    assert quantile([5], 0.5) == 5
