"""A plugin of pytest for `tests.mutants`: writes down which lines of `workers/` each test runs, and how long it takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

FOLDER = Path(os.environ["LINES_RUN"])
_watching = coverage.Coverage(
    data_file=str(FOLDER / "lines"), data_suffix=True, source=["workers"], concurrency=["thread", "greenlet"], config_file=False
)
_watching.start()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """What runs from here on runs for this test, its fixtures included."""
    _watching.switch_context(item.nodeid)
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """One line a test, from the process that ran it."""
    if "PYTEST_XDIST_WORKER" in os.environ and report.when == "call":
        with (FOLDER / "seconds.txt").open("a") as seconds:
            seconds.write(f"{report.nodeid}\t{report.duration:.3f}\t{report.outcome}\n")


def pytest_sessionfinish() -> None:
    """Writes what this process saw."""
    _watching.stop()
    _watching.save()
