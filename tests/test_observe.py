"""The dashboard and the alert rules ask for what exowatch shows: metrics, labels and values that exist, and all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_telemetry import documented, metrics

DOCS = Path(__file__).resolve().parents[1] / "docs"
DASHBOARD = json.loads((DOCS / "observe" / "grafana.json").read_text(encoding="utf-8"))
RULES = [rule for group in yaml.safe_load((DOCS / "observe" / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
PAGE = (DOCS / "observe.md").read_text(encoding="utf-8")

OF_EVERY_SCRAPE = {"job", "instance"}
WORDS = {"by", "without", "or", "and", "unless", "sum", "max", "rate", "increase", "changes", "absent", "histogram_quantile"}
_STRING = re.compile(r'"[^"]*"')
_RANGE = re.compile(r"\[(?:\d+[smhd]|\$__rate_interval)\]")
_SELECTOR = re.compile(r"([a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without) \(([^)]*)\)")
_FAMILY = re.compile(r"_(?:bucket|sum|count)$")


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str, str]]:
    """Where each stands, the expression, and what is shown with its labels."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"], " ".join(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    for rule in RULES:
        yield rule["alert"], rule["expr"], " ".join(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))


ALL = list(expressions())


def named(expression: str) -> list[tuple[str, str]]:
    """The metrics of an expression, each with its matchers."""
    bare = _RANGE.sub("", _GROUPING.sub("", expression))
    return [(name, matchers) for name, matchers in _SELECTOR.findall(bare) if name not in WORDS and not name.isdigit()]


def labels_of(name: str) -> set[str]:
    """The labels of a series as Prometheus has them. Raises KeyError where there is no such series."""
    if name == "up":
        return OF_EVERY_SCRAPE
    family = _FAMILY.sub("", name)
    kind, labels = documented()[family]
    assert (kind == "histogram") == (family != name), f"{name} is no series of a {kind}"
    found = set(re.findall(r"`(\w+)`", labels)) | OF_EVERY_SCRAPE
    if kind != "gauge":
        found |= {"role", "process"}
    return found | ({"le"} if name.endswith("_bucket") else set())


@pytest.mark.parametrize(("where", "expression", "shown"), ALL, ids=[where for where, _, _ in ALL])
def test_an_expression_names_series_and_labels_that_exist(where: str, expression: str, shown: str) -> None:
    found = named(expression)
    assert found
    for name, matchers in found:
        for label, _, value in _MATCHER.findall(matchers):
            assert label in labels_of(name), f"{where}: {name} has no label {label}"
            if label not in OF_EVERY_SCRAPE:
                for one in value.split("|"):
                    assert f"`{one}`" in (DOCS / "metrics.md").read_text(), f"{where}: {label} is never {one}"
    groups = [set(re.findall(r"\w+", group)) for group in _GROUPING.findall(expression)]
    for group in groups:
        for name, _ in found:
            assert group <= labels_of(name), f"{where}: {name} lacks one of {group}"
    assert set(shown.split()) <= set().union(*groups), f"{where} shows a label that was summed away"
    without_strings = _STRING.sub("", expression)
    for opening, closing in ("()", "[]", "{}"):
        assert without_strings.count(opening) == without_strings.count(closing), where
    for name, _ in found:  # a counter by itself says how old its process is
        if not name.startswith("exowatch_stream") and name not in ("up", "exowatch_processes") and "absent" not in expression:
            assert re.search(rf"(?:rate|increase)\({name}(?:\{{[^}}]*\}})?\[", expression), f"{where}: {name} without a rate"


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {_FAMILY.sub("", name) for panel in panels() for target in panel["targets"] for name, _ in named(target["expr"])}
    assert shown == set(metrics())


def test_panels_do_not_lie_upon_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert {panel["datasource"]["uid"] for panel in panels()} == {"${datasource}"}
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource"]


def test_every_rule_is_explained_and_none_that_is_not_there() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))
    assert re.findall(r"^\| `(Exowatch\w+)` \|", PAGE, re.MULTILINE) == names
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
