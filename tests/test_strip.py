"""The strip of a source's coverage: what is covered, what is not, what nobody knows, and that all of it is in its words."""

from __future__ import annotations

from monitor.api.pages.strip import CELL_MS, CELLS, DAYS, drawn, strip
from monitor.times import rfc3339
from monitor.words import Coverage, CoverageGap, CoveredSpan, GapState

NOW = 1_800_000_000_000
HOUR = 3_600_000


def time(hours_ago: float) -> str:
    return rfc3339(round(NOW - hours_ago * HOUR)) or ""


def ledger(covered: list[tuple[float, float]], gaps: list[tuple[float, float, GapState]], late: float | None = None) -> Coverage:
    return Coverage(
        source="tag",
        state="ok",
        covered=tuple(CoveredSpan(since=time(since), until=time(until)) for since, until in covered),
        gaps=tuple(
            CoverageGap(at=time(0), what="away", since=time(since), until=time(until), state=state)
            for since, until, state in gaps
        ),
        open_since=None,
        late=0 if late is None else 3,
        last_late=None if late is None else time(late),
    )


def test_a_gap_of_a_minute_is_a_cell_and_what_was_refilled_is_none() -> None:
    found = strip(ledger([(48, 10), (10 - 1 / 60, 0)], [(10, 10 - 1 / 60, "lost"), (30, 20, "refilled")]), NOW)
    assert (CELLS, len(found.cells)) == (DAYS * 48, CELLS)
    assert found.cells.count("gap") == 1
    assert found.cells[CELLS - 20] == "gap"
    assert found.cells.count("covered") == 95
    assert set(found.cells[: CELLS - 96]) == {"unknown"}
    assert found.share is not None
    assert 0.999 < found.share < 1


def test_what_lies_outside_of_the_strip_is_left_out() -> None:
    found = strip(ledger([(900, 200)], [(300, 250, "lost"), (DAYS * 24 + 1, DAYS * 24 - 1, "open")], late=200), NOW)
    assert found.cells[:2] == ("gap", "gap")
    assert set(found.cells[2:]) == {"unknown"}
    assert found.late is None


def test_a_gap_without_length_is_seen_and_one_that_is_now_too() -> None:
    assert strip(ledger([], [(5, 5, "open")]), NOW).cells[CELLS - 10] == "gap"
    assert strip(ledger([], [(0, 0, "open")]), NOW).cells.count("gap") <= 1


def test_it_says_in_words_what_it_shows_and_stays_small_however_many_gaps_there_are() -> None:
    one = ledger([(168, 10), (9, 0)], [(10, 9, "lost")], late=3)
    shown = drawn(strip(one, NOW), 'a "<b>', one.late)
    assert "the last 7 days: 99.4% covered, 1 gap, 3 late" in shown
    assert "<b>" not in shown
    assert [shown.count(f'class="{what}"') for what in ("covered", "gap", "late")] == [2, 1, 1]
    many = ledger([(168, 0)], [(168 - n / 6, 168 - n / 6 - 0.01, "lost") for n in range(1_000)])
    assert len(drawn(strip(many, NOW), "tag", 0)) < CELLS * 120
    assert "nothing known yet" in drawn(strip(ledger([], []), NOW), "tag", 0)
    assert CELL_MS * CELLS == DAYS * 24 * HOUR
