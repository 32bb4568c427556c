"""Which alerts an endpoint is told about."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.settings.alerting import refusals, wants
from monitor.settings.endpoint import Endpoint
from monitor.words import AlertKind
from tests.receiver import SECRET
from tests.test_store import carries

FDA = carries("FDA approved", "FDA approved", type="regulatory_status", verdict="contradicted", confidence=0.7)


@pytest.mark.parametrize(
    ("filters", "kind", "wanted"),
    [
        ({}, "claim.new", True),
        ({"events": ["claim.new"]}, "claim.new", True),
        ({"events": ["claim.spreading"]}, "claim.new", False),
        ({"types": ["regulatory_status", "safety"]}, "claim.new", True),
        ({"types": ["safety"]}, "claim.new", False),
        ({"verdicts": ["contradicted"]}, "claim.new", True),
        ({"verdicts": ["unsupported"]}, "claim.new", False),
        ({"platforms": ["reddit"]}, "claim.new", True),
        ({"platforms": ["tiktok"]}, "claim.new", False),
        ({"min_confidence": 0.7}, "claim.new", True),
        ({"min_confidence": 0.71}, "claim.new", False),
        ({"types": ["regulatory_status"], "platforms": ["tiktok"]}, "claim.new", False),
    ],
)
def test_every_filter_must_let_the_alert_through(filters: dict[str, Any], kind: AlertKind, wanted: bool) -> None:
    endpoint = Endpoint(name="e", kind="webhook", url="https://example.org", secret=[SECRET], **filters)
    assert wants(endpoint, kind, FDA, "reddit") is wanted


def test_an_alert_without_an_occurrence_is_judged_by_its_kind_alone() -> None:
    narrow = Endpoint(
        name="e",
        kind="webhook",
        url="https://example.org",
        secret=[SECRET],
        types=["safety"],
        verdicts=["unsupported"],
        platforms=["tiktok"],
        min_confidence=0.9,
    )
    assert wants(narrow, "source.down", None, None)
    assert not wants(narrow.model_copy(update={"events": ["claim.new"]}), "source.down", None, None)
    assert not wants(narrow, "safety.signal", None, "reddit"), "a mention's alert has a platform to be asked about"


def test_every_filter_that_refuses_is_named() -> None:
    narrow = Endpoint(
        name="e",
        kind="webhook",
        url="https://example.org",
        secret=[SECRET],
        types=["safety"],
        verdicts=["contradicted"],
        platforms=["tiktok"],
        min_confidence=0.9,
    )
    assert list(refusals(narrow, "claim.new", FDA, "reddit")) == ["platforms", "types", "min_confidence"]
