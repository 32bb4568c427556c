"""`python -m benchmarks` runs and writes what docs/benchmarks.md says. How fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from benchmarks import measure
from benchmarks.__main__ import RESULTS, SUBJECTS
from benchmarks.growth import powers
from benchmarks.load import Sample, dearer, growth_mb, window_rates
from benchmarks.measure import Figure, at_most, be_patient, beside, in_turn, plain, quantile
from benchmarks.plots import PLOTS, write_plots

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


def test_peers_that_are_not_installed_are_left_out_with_a_line(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['arq'] = sys.modules['obsei'] = None\n"
    missing = "import importlib.metadata as m\ndef none(name): raise m.PackageNotFoundError(name)\nm.version = none\n"
    code = f"{hidden}{missing}from benchmarks.__main__ import main\nmain(['peers', '--quick', '--output', sys.argv[1]])"
    output = tmp_path / "results.json"
    done = subprocess.run([sys.executable, "-c", code, str(output)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(output.read_text()) == []
    for name in ("arq", "obsei"):
        assert f"{name} is not installed" in done.stdout


def sample(at: float, left: int, memory: float = 100.0) -> Sample:
    return Sample(at, left, {"worker 1": memory}, {})


def test_the_windows_of_a_backlog_say_how_steadily_it_drained() -> None:
    samples = [sample(0, 1_000), sample(5, 500), sample(7.5, 500), sample(10, 0)]
    assert window_rates(samples, 2) == [100, 100]
    assert window_rates(samples, 4) == [100, 100, 0, 200]


def test_a_mention_is_dearer_in_the_second_half_where_the_workers_spend_more_on_it() -> None:
    spent = [(100, 0.0), (50, 1.0), (25, 2.5), (0, 4.0)]
    samples = [Sample(n, left, {}, {"worker 1": seconds, "redis-server": 9.0 * n}) for n, (left, seconds) in enumerate(spent)]
    assert dearer(samples) == 3.0


def test_memory_grows_from_the_second_tenth_to_the_last() -> None:
    samples = [sample(n, 100 - n, memory) for n, memory in enumerate([50.0] * 10 + [100.0] * 11 + [110.0] * 69 + [115.0] * 11)]
    assert growth_mb(samples, "worker 1") == 15.0, "what a start takes does not count"


def test_powers_are_the_least_and_its_tenfolds() -> None:
    assert powers(1, 1_000) == [1, 10, 100, 1_000]
    assert powers(1_000, 999) == [1_000]


def test_plots_show_every_point_within_their_axes(tmp_path: Path) -> None:
    plot = next(one for one in PLOTS if len(one.lines) == 2)
    first, second = plot.lines
    figures = [plain(f"{first}, {10**n:,} things", "ms", [10.0**n / 7]) for n in range(1, 5)]
    figures += [plain(f"{second}, {10**n:,} things", "ms", [3.0]) for n in range(1, 5)]
    figures += [plain(f"{first}, and something else, 10 things", "ms", [1e9])]
    (file,) = write_plots(figures, tmp_path)
    drawn = ElementTree.fromstring(file.read_text())
    width, height = (float(drawn.attrib[name]) for name in ("width", "height"))
    dots = [one for one in drawn.iter() if one.tag.endswith("circle")]
    assert len(dots) == 8
    assert all(0 < float(one.attrib["cx"]) < width and 0 < float(one.attrib["cy"]) < height for one in dots)
    words = " ".join("".join(one.itertext()) for one in drawn.iter() if one.tag.endswith("text"))
    for wanted in (plot.title, plot.across, plot.up, *plot.lines.values(), "10,000"):
        assert wanted in words


def test_the_pictures_in_the_docs_are_drawn_from_the_kept_results(tmp_path: Path) -> None:
    kept = msgspec.json.decode(RESULTS.read_bytes(), type=list[Figure])
    drawn = write_plots(kept, tmp_path)
    assert len(drawn) == len(PLOTS)
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    for file in drawn:
        assert file.read_text() == (ROOT / "docs" / "pictures" / file.name).read_text(), f"{file.name} is of other figures"
        assert f"(pictures/{file.name})" in page
        assert file.stat().st_size < 30_000
