"""One verdict of several: the rule, its order, and what a user sees of it."""

from __future__ import annotations

import datetime as dt

import pytest

from monitor.topic import Citation, Entry, Proposition, Register
from monitor.words import Verdict
from workers.classify import Found
from workers.judge import explain, one_verdict, rule

US_UK_EU = ("US", "UK", "EU")


@pytest.mark.parametrize(
    ("verdicts", "named", "configured", "expected"),
    [
        # the jurisdiction of a named authority decides, configured or not
        ({"KR": "contradicted", "US": "supported"}, "KR", US_UK_EU, ("contradicted", "KR")),
        ({"US": "contradicted", "UK": "supported"}, "UK", US_UK_EU, ("supported", "UK")),
        # else the worst of the configured ones that are listed
        ({"US": "unsupported", "UK": "contradicted", "TW": "supported"}, None, US_UK_EU, ("contradicted", "UK")),
        ({"US": "unsupported", "EU": "supported"}, None, US_UK_EU, ("unsupported", "US")),
        ({"EU": "supported", "UK": "supported", "CA": "unsupported"}, None, US_UK_EU, ("supported", "UK")),
        ({"TW": "supported", "EU": "contradicted"}, None, ("TW",), ("supported", "TW")),
        # a configured jurisdiction goes before the global verdict, though that be worse
        ({"US": "supported", "global": "contradicted"}, None, US_UK_EU, ("supported", "US")),
        # else the global one
        ({"SA": "contradicted", "global": "unsupported"}, None, US_UK_EU, ("unsupported", "global")),
        ({"global": "supported"}, "US", US_UK_EU, ("supported", "global")),
        # an entry that speaks only of other places
        ({"KR": "contradicted"}, None, US_UK_EU, ("contradicted", "KR")),
        # nothing at all: the burden of proof
        ({}, None, US_UK_EU, ("unsupported", None)),
    ],
)
def test_one_verdict_of_several(
    verdicts: dict[str, Verdict], named: str | None, configured: tuple[str, ...], expected: tuple[Verdict, str | None]
) -> None:
    assert one_verdict(verdicts, configured, named) == expected


def found(entry: str | None, jurisdiction: str | None = None) -> Found:
    proposition = Proposition(
        key="x-approved", type="regulatory_status", claim="X is approved.", patterns=(), entry=entry, jurisdiction=jurisdiction
    )
    return Found(
        start=0,
        end=5,
        type="regulatory_status",
        stance="asserts",
        distance=False,
        testimonial=False,
        proposition=proposition,
        number=None,
        confidence=0.8,
        by="the lexicon's claim x-approved matched by the wording [@agency + @approve]",
        cue="plain",
    )


@pytest.fixture
def register() -> Register:
    citations = (
        Citation(id="AD", citation="Where it is claimed", url="https://example.org/ad", kind="claim seen"),
        Citation(id="LAW", citation="The law", url="https://example.org/law", kind="law"),
    )
    entry = Entry(
        id="x-approved",
        type="regulatory_status",
        claim="X is approved.",
        verdicts={"US": "contradicted"},
        as_of=dt.date(2026, 1, 1),
        citations=citations,
    )
    return Register((entry,))


def test_the_entry_gives_verdict_basis_and_evidence(register: Register) -> None:
    ruling = rule(found("x-approved").proposition, register, US_UK_EU)
    assert (ruling.verdict, ruling.basis, ruling.entry, ruling.verdicts) == (
        "contradicted",
        "register",
        "x-approved",
        {"US": "contradicted"},
    )
    assert [cite.id for cite in ruling.evidence] == ["LAW"], "where a claim is made is no evidence for its verdict"


def test_without_an_entry_it_is_unsupported_by_the_burden_of_proof(register: Register) -> None:
    ruling = rule(found(None).proposition, register, US_UK_EU)
    assert (ruling.verdict, ruling.basis, ruling.entry, ruling.evidence, ruling.verdicts) == (
        "unsupported",
        "burden of proof",
        None,
        (),
        {},
    )
    assert "burden of proof" in explain(found(None), ruling)


def test_why_names_wording_stance_entry_and_place(register: Register) -> None:
    why = explain(found("x-approved"), rule(found("x-approved").proposition, register, US_UK_EU))
    for part in ("x-approved", "@agency + @approve", "put forward as true", "contradicted", "for US"):
        assert part in why
    assert why.endswith(".")
    assert why.count("\n") == 0
