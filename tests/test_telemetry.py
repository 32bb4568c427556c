"""The metrics and their page in the docs: each explains the other, none is missing."""

from __future__ import annotations

import io
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import Metric

from monitor import telemetry

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"


def metrics() -> dict[str, Metric]:
    """All metrics of the program by the name under which Prometheus shows them."""
    return {one.name + ("_total" if one.type == "counter" else ""): one for one in telemetry.registry.collect()}


def documented() -> dict[str, tuple[str, str]]:
    """Name to kind and labels, from the table of the page."""
    rows = re.findall(r"^\| `(exowatch_\w+)` \| (\w+) \|([^|]*)\|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: (kind, labels.strip()) for name, kind, labels in rows}


def test_every_metric_is_explained_and_no_other_is() -> None:
    assert {name: one.type for name, one in metrics().items()} == {name: kind for name, (kind, _) in documented().items()}


def test_the_labels_are_those_of_the_page() -> None:
    given = {getattr(one, "_name", "") + ("_total" if one._type == "counter" else ""): one for one in _collectors()}
    for name, (_, labels) in documented().items():
        assert re.findall(r"`(\w+)`", labels) == list(given[name]._labelnames), name


def _collectors() -> list[Any]:
    return list(telemetry.registry._collector_to_names)


@pytest.mark.parametrize("on_a_terminal", [True, False])
def test_an_error_is_logged_with_its_place_and_without_what_variables_held(on_a_terminal: bool) -> None:
    class Out(io.StringIO):
        def isatty(self) -> bool:
            return on_a_terminal

    out = Out()
    telemetry.set_up_logging(stream=out)
    try:
        token = "s3cret" + "-token"
        try:
            int(len(token) * "x")
        except ValueError:
            structlog.get_logger().exception("a request failed", path="/x")
    finally:
        telemetry.set_up_logging()
    said = out.getvalue()
    assert "ValueError" in said
    assert "test_telemetry.py" in said
    assert "s3cret" not in said
    if not on_a_terminal:
        assert json.loads(said)["event"] == "a request failed"


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    with suppress(OSError), Path("/dev/full").open("w", buffering=1) as full:  # every write to it fails, and so does its end
        telemetry.set_up_logging(stream=full)
        done = False
        with suppress(OSError):
            structlog.get_logger().warning("waiting for the database", error="x" * 100_000)
            structlog.get_logger().info("the database is back")
            done = True
    assert done
