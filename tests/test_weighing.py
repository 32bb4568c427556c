"""From what was read in a post to its judgement: which claim it is, what the register says to it, and why."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec import structs

from monitor.ids import claim_id_of
from monitor.store.judged import Origin
from monitor.topic import Citation, Entry, Proposition, Register, Topic, load_topic
from monitor.words import Stance, Verdict, Wording
from tests.quick_pack import rules_alone
from workers.classify import Found, Reading
from workers.identify import Identity, identify
from workers.judge import Ruling, explain, rule
from workers.judgement import Judge

TEXT = "Our glow drops lift by 30% and are approved."


def proposition(key: str = "glow-approved", **more: Any) -> Proposition:
    values: dict[str, Any] = {"type": "regulatory_status", "claim": "Glow drops are approved.", "patterns": (), "entry": "glow"}
    return Proposition(key=key, **(values | more))


def found(quote: str = "are approved", **more: Any) -> Found:
    start = TEXT.index(quote)
    values: dict[str, Any] = {
        "type": "regulatory_status",
        "stance": "asserts",
        "distance": False,
        "testimonial": False,
        "proposition": proposition(),
        "number": None,
        "confidence": 0.7,
        "by": "matched by [approv*]",
        "cue": "plain",
    }
    return Found(start=start, end=start + len(quote), **(values | more))


def citation(number: int, **more: Any) -> Citation:
    return Citation(
        **({"id": f"C{number}", "citation": f"Paper {number}", "url": f"https://example.org/{number}", "kind": "law"} | more)
    )


def entry(**more: Any) -> Entry:
    values: dict[str, Any] = {
        "verdicts": {"UK": "supported", "US": "contradicted"},
        "citations": (citation(1), citation(2, url=None)),
    }
    return Entry(**({"id": "glow", "type": "safety", "claim": "It glows.", "as_of": dt.date(2026, 1, 1)} | values | more))


NUMBERED: dict[str, Any] = {
    "number": "percent",
    "number_key": "lifts-{number}pct",
    "number_claim": "Glow drops lift by {number} per cent.",
}


@pytest.mark.parametrize(
    ("one", "number", "key", "claim"),
    [
        (proposition(), None, "glow-approved", "Glow drops are approved."),
        (proposition(), "30", "glow-approved", "Glow drops are approved."),
        (proposition(**NUMBERED), None, "glow-approved", "Glow drops are approved."),
        (proposition(**NUMBERED), "30", "lifts-30pct", "Glow drops lift by 30 per cent."),
        (proposition(**NUMBERED), "2-billion", "lifts-2-billionpct", "Glow drops lift by 2 billion per cent."),
        (proposition(number_key="lifts-{number}"), "30", "glow-approved", "Glow drops are approved."),
        (proposition(number_claim="Lifts {number}."), "30", "glow-approved", "Glow drops are approved."),
    ],
)
def test_a_claim_is_named_by_its_proposition_and_number(one: Proposition, number: str | None, key: str, claim: str) -> None:
    assert identify(one, number) == Identity(claim_id=claim_id_of(key), claim=claim, key=key)


def test_the_entrys_citations_are_the_evidence_as_they_are() -> None:
    ruling = rule(proposition(), Register((entry(),)), ("US",))
    assert [(one.id, one.citation, one.url) for one in ruling.evidence] == [
        ("C1", "Paper 1", "https://example.org/1"),
        ("C2", "Paper 2", None),
    ]


def test_twelve_citations_are_shown_at_most_the_first_ones() -> None:
    ruling = rule(proposition(), Register((entry(citations=tuple(map(citation, range(14)))),)), ("US",))
    assert [one.id for one in ruling.evidence] == [f"C{n}" for n in range(12)]


def test_where_nothing_but_the_claim_was_seen_that_is_shown() -> None:
    seen = (citation(1, kind="claim seen"), citation(2, kind="claim seen"))
    assert [one.id for one in rule(proposition(), Register((entry(citations=seen),)), ("US",)).evidence] == ["C1", "C2"]


def test_a_named_authority_decides_by_its_own_jurisdiction() -> None:
    register = Register((entry(),))
    assert rule(proposition(), register, ("US", "UK")).place == "US"
    ruling = rule(proposition(jurisdiction="UK"), register, ("US", "UK"))
    assert (ruling.verdict, ruling.place, ruling.verdicts) == ("supported", "UK", {"UK": "supported", "US": "contradicted"})


def ruling(**more: Any) -> Ruling:
    values: dict[str, Any] = {"verdict": "contradicted", "verdicts": {}, "basis": "register", "evidence": (), "entry": "glow"}
    return Ruling(**({"place": "US"} | values | more))


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (ruling(), "register entry glow says contradicted for US"),
        (ruling(verdict="supported", place="global"), "register entry glow says supported everywhere"),
        (ruling(entry=None, place=None), "no register entry covers it, so it is unsupported by the burden of proof"),
    ],
)
def test_a_ruling_is_said_in_words(one: Ruling, said: str) -> None:
    assert one.said == said


@pytest.mark.parametrize(
    ("stance", "distance", "words"),
    [
        ("asserts", False, "put forward as true"),
        ("denies", False, "denied"),
        ("asks", False, "asked about"),
        ("reports", False, "reported of others"),
        ("reports", True, "reported of others with distance"),
    ],
)
def test_why_says_how_it_was_found_how_it_is_said_and_what_the_register_says(stance: Stance, distance: bool, words: str) -> None:
    why = explain(found(stance=stance, distance=distance), ruling())
    assert why == f"matched by [approv*], {words} (plain); register entry glow says contradicted for US."


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ({"UK": "supported", "US": "unsupported"}, ("unsupported", "US")),
        ({"KR": "unsupported", "US": "contradicted", "JP": "supported"}, ("contradicted", "US")),
        ({"KR": "unsupported", "US": "unsupported"}, ("unsupported", "KR")),
    ],
)
def test_of_places_that_nobody_configured_the_worst_counts_and_of_equals_the_first(
    verdicts: dict[str, Verdict], worst: tuple[Verdict, str]
) -> None:
    ruling = rule(proposition(), Register((entry(verdicts=verdicts),)), ("TW",))
    assert (ruling.verdict, ruling.place) == worst


@pytest.fixture(scope="module")
def register() -> Register:
    return Register((entry(),))


@pytest.fixture(scope="module")
def topic(tmp_path_factory: pytest.TempPathFactory, register: Register) -> Topic:
    return structs.replace(load_topic(rules_alone(tmp_path_factory.mktemp("pack"))), register=register)


@pytest.fixture(scope="module")
def judge(topic: Topic) -> Judge:
    return Judge(topic, ("UK", "US"))


def reading(*claims: Found, **more: Any) -> Reading:
    return Reading(**({"relevant": True, "language": "en", "adverse_event": False, "claims": claims} | more))


def test_an_occurrence_says_where_what_and_how_sure(judge: Judge, register: Register) -> None:
    one = found(stance="reports", distance=True, testimonial=True, type="authority")
    judgement, origins = judge.weigh_reading("post-1", TEXT, reading(one), "reader-7")
    (claim,) = judgement.claims
    assert (claim.quote, claim.start, claim.end) == ("are approved", TEXT.index("are"), len(TEXT) - 1)
    assert (claim.type, claim.stance, claim.distance, claim.testimonial) == ("authority", "reports", True, True)
    assert (claim.claim_id, claim.claim) == (claim_id_of("glow-approved"), "Glow drops are approved.")
    assert (claim.verdict, claim.basis, claim.confidence) == ("contradicted", "register", 0.7)
    assert claim.verdicts == {"UK": "supported", "US": "contradicted"}
    assert [one.id for one in claim.evidence] == ["C1", "C2"]
    assert (
        claim.why
        == "matched by [approv*], reported of others with distance (plain); register entry glow says contradicted for US."
    )
    assert (judgement.id, judgement.classifier, judgement.register) == ("post-1", "reader-7", register.version)
    assert origins == (Origin(proposition="glow-approved", entry="glow", ruling="register entry glow says contradicted for US"),)


def test_what_the_reader_says_of_the_whole_post_is_its_judgement(judge: Judge) -> None:
    judgement, origins = judge.weigh_reading("p", TEXT, reading(adverse_event=True, language="de"), "r")
    assert (judgement.relevant, judgement.language, judgement.adverse_event, judgement.alert) == (True, "de", True, False)
    assert (judgement.claims, origins) == ((), ())
    other, _ = judge.weigh_reading("p", TEXT, reading(relevant=False, language=None), "r")
    assert (other.relevant, other.language, other.adverse_event) == (False, None, False)


def test_a_post_is_to_be_alerted_about_when_one_of_its_claims_is(judge: Judge) -> None:
    def alert(*claims: Found) -> bool:
        return judge.weigh_reading("p", TEXT, reading(*claims), "r")[0].alert

    assert alert(found(stance="denies"), found())
    assert not alert(found(stance="denies"), found(stance="asks"))
    assert not alert(found(proposition=proposition(jurisdiction="UK")))


def test_an_origin_keeps_the_number_only_where_it_makes_the_claim(judge: Judge) -> None:
    wording = Wording(vector=b"1234", maybe=0.5, sure=0.6)
    numbered = found("lift by 30%", proposition=proposition("lifts", **NUMBERED), number="30", sure=False, wording=wording)
    plain = found(number="30", proposition=proposition("glow-safe", entry=None))
    judgement, origins = judge.weigh_reading("p", TEXT, reading(numbered, plain), "r")
    assert [one.claim for one in judgement.claims] == ["Glow drops lift by 30 per cent.", "Glow drops are approved."]
    no_entry = "no register entry covers it, so it is unsupported by the burden of proof"
    assert origins == (
        Origin(
            proposition="lifts",
            number="30",
            entry="glow",
            ruling="register entry glow says contradicted for US",
            sure=False,
            wording=wording,
        ),
        Origin(proposition="glow-safe", number=None, entry=None, ruling=no_entry),
    )


def test_a_post_is_judged_in_the_language_that_its_platform_names(judge: Judge) -> None:
    text = "Exosomes"
    assert judge.judge("p", text, "es-MX").language == "es"
    judgement, origins = judge.weigh("p", text, "fr")
    assert (judgement.id, judgement.language, judgement.classifier, origins) == ("p", "fr", judge.classifier.version, ())


def test_where_no_jurisdictions_are_said_the_us_the_uk_and_the_eu_count(topic: Topic) -> None:
    others: dict[str, Verdict] = {"KR": "contradicted", "global": "supported"}
    places = ("US", "UK", "EU", "TW")
    entries = tuple(entry(id=f"glow-{place}", verdicts={**others, place: "unsupported"}) for place in places)
    asked = Judge(structs.replace(topic, register=Register(entries)))
    one = reading(*(found(proposition=proposition(entry=f"glow-{place}")) for place in places))
    verdicts = [claim.verdict for claim in asked.weigh_reading("p", TEXT, one, "r")[0].claims]
    assert verdicts == ["unsupported", "unsupported", "unsupported", "supported"]
