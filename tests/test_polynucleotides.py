"""The pack about polynucleotides: whole, honest about what nobody has looked up, judged by lexicon and register alone."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from monitor.demo import sample_posts
from monitor.settings.model import SHIPPED
from monitor.topic import Topic, load_topic
from monitor.topic.register import FROM_MEMORY
from monitor.words import CLAIM_TYPES, Judgement, Post
from tests.abuse import post_of, write_config
from tests.daemon_process import running_daemon
from tests.receiver import Receiver
from tests.test_cli_query import exowatch
from workers.judgement import Judge

PACK = SHIPPED / "topics" / "polynucleotides"
LANGUAGES = {"es", "pt", "fr", "de", "it", "tr", "pl", "ko", "ja", "ar"}

# What each post of the pack's sample says, as (stance, register entry), and whether it raises an alert.
SAMPLE: dict[str, tuple[set[tuple[str, str]], bool]] = {
    "sample-001": ({("reports", "fda-approved")}, True),
    "sample-002": ({("denies", "fda-approved")}, False),
    "sample-003": ({("asserts", "collagen-increase"), ("asserts", "skin-quality-improved")}, True),
    "sample-004": (set(), False),
    "sample-005": ({("asserts", "injection-reactions-reported")}, False),
    "sample-006": ({("asserts", "short-bumps-expected")}, False),
    "sample-007": ({("asserts", "no-side-effects"), ("asserts", "no-downtime"), ("asserts", "results-last")}, True),
    "sample-008": ({("asks", "safe-with-fish-allergy")}, False),
    "sample-009": ({("asserts", "safe-with-fish-allergy")}, True),
    "sample-010": ({("asserts", "small-skin-trials-positive")}, False),
    "sample-011": ({("asserts", "better-than-hyaluronic-acid")}, True),
    "sample-012": ({("asserts", "korea-authorised")}, False),
    "sample-013": ({("reports", "skin-disease-treated"), ("denies", "clinically-proven")}, False),
    "sample-014": ({("asserts", "wrinkles-reduced"), ("asserts", "no-side-effects")}, True),
    "sample-015": ({("asserts", "better-than-hyaluronic-acid")}, True),
    "sample-016": ({("asserts", "dark-circles-removed")}, True),
    "sample-017": ({("asserts", "clinically-proven"), ("asserts", "no-side-effects")}, True),
    "sample-018": ({("denies", "hair-regrowth")}, False),
    "sample-019": ({("asserts", "no-side-effects")}, True),
    "sample-020": ({("asserts", "wrinkles-reduced")}, True),
    "sample-021": ({("asserts", "wrinkles-reduced")}, True),
    "sample-022": ({("asserts", "no-side-effects")}, True),
    "sample-023": ({("asserts", "no-side-effects")}, True),
    "sample-024": ({("asserts", "topical-pdrn-is-cosmetic")}, False),
}


@pytest.fixture(scope="module")
def topic() -> Topic:
    return load_topic(PACK)


@pytest.fixture(scope="module")
def judge(topic: Topic) -> Judge:
    return Judge(topic)


def said(topic: Topic, judgement: Judgement) -> set[tuple[str, str]]:
    """The stance and the register entry of every claim of a judgement."""
    found = set()
    for claim in judgement.claims:
        named = claim.why.rpartition("register entry ")[2].partition(" ")[0]
        assert named in topic.register.entries, claim.why
        found.add((claim.stance, named))
    return found


def test_the_pack_covers_every_type_and_language_and_has_no_model(topic: Topic) -> None:
    assert (topic.name, topic.model) == ("polynucleotides", None)
    assert len(topic.register) >= 25
    for rows in (topic.lexicon.propositions.values(), topic.register.entries.values()):
        assert {row.type for row in rows} == set(CLAIM_TYPES)
    assert {name.partition(":")[0] for name in topic.lexicon.cues if ":" in name} == LANGUAGES


def test_every_entry_names_its_jurisdictions_and_no_citation_passes_for_checked(topic: Topic) -> None:
    for entry in topic.register.entries.values():
        assert "global" not in entry.verdicts, entry.id
        assert set(entry.verdicts) <= {"US", "UK", "EU", "KR"}, entry.id
        assert entry.note, entry.id
        assert entry.citations, entry.id
        for cite in entry.citations:
            assert cite.mark == FROM_MEMORY, cite.id
    verdicts = Counter(verdict for entry in topic.register.entries.values() for verdict in entry.verdicts.values())
    assert set(verdicts) == {"supported", "unsupported", "contradicted"}


def test_the_check_finds_no_fault_and_lists_what_is_to_be_looked_up(topic: Topic, tmp_path: Path) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text('topic = "polynucleotides"\ndata_dir = "data"\n')
    answer = exowatch("evidence", "check", "--config", config)
    assert (answer.returncode, answer.stderr) == (0, "")
    *lines, last = answer.stdout.splitlines()
    cited = {cite.id for entry in topic.register.entries.values() for cite in entry.citations}
    assert {line.partition(":")[0] for line in lines if "cited from memory" in line} == cited
    assert [line for line in lines if "cited from memory" not in line and "look for a newer record" not in line] == []
    assert f"{len(topic.register)} entries" in last
    assert ": 0 problems, " in last
    assert last.endswith(f"{len(cited)} citations to be checked, 0 loose ends")


@pytest.mark.parametrize("post", sample_posts(PACK), ids=lambda post: str(post.id))
def test_the_sample_is_judged_as_expected(topic: Topic, judge: Judge, post: Post) -> None:
    judgement = judge.judge(post.id, post.text)
    claims, alert = SAMPLE[post.id]
    assert judgement.relevant
    assert (said(topic, judgement), judgement.alert) == (claims, alert)
    assert judgement.adverse_event == (post.id == "sample-005")


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("Polynucleotides raise collagen by 300%", "Polynucleotide treatment raises collagen by 300 per cent."),
        ("Polynucleotides cure cancer", "Polynucleotides treat cancer."),
        ("Polynucleotides cured my rosacea", "Polynucleotides treat rosacea."),
        ("Polynucleotides beat Botox", "Polynucleotides work better than, or can replace, Botox or fillers."),
        ("Polynucleotides beat PRP", "Polynucleotides work better than PRP (platelet-rich plasma)."),
        ("PDRN made from plants", "The polynucleotides in the product come from plants."),
        ("Placentex is authorised by AIFA", "A polynucleotide product is authorised as a medicine by Italy's AIFA."),
        ("PDRN is basically exosomes", "Polynucleotides or PDRN are the same as exosomes."),
    ],
)
def test_numbers_and_particulars_make_claims_of_their_own(judge: Judge, text: str, claim: str) -> None:
    assert [one.claim for one in judge.judge("1", text).claims] == [claim]


@pytest.mark.parametrize(
    "text",
    [
        "T4 polynucleotide kinase labels the probe",
        "The hatchery looked at salmon DNA this spring",
        "Sheared salmon sperm DNA was used as carrier DNA",
        "Rejuran maker: share price up again on the Kosdaq",
        "Exosomes are FDA approved and cure arthritis",
        "Salmon with dill for four",
    ],
)
def test_other_meanings_are_not_the_topic(judge: Judge, text: str) -> None:
    judgement = judge.judge("1", text)
    assert (judgement.relevant, judgement.claims) == (False, ())


def test_the_authority_that_a_claim_names_decides(judge: Judge) -> None:
    korea, italy, us = (
        judge.judge("1", text).claims[0].verdict
        for text in ("Rejuran is approved in Korea", "Placentex is authorised by AIFA", "Rejuran is approved by the FDA")
    )
    assert (korea, italy, us) == ("supported", "supported", "contradicted")


async def test_the_daemon_takes_a_post_over_http_and_raises_the_right_alert(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        config = write_config(tmp_path, hook=receiver.url)
        config.write_text('topic = "polynucleotides"\n' + config.read_text())
        async with running_daemon(config) as daemon:
            posts = [
                post_of("1", "Salmon DNA facial: zero side effects!", author="jo"),
                post_of("2", "Is PDRN vegan?"),
                post_of("3", "Exosomes are FDA approved."),
            ]
            answer = await daemon.post("/mentions", posts)
            assert (answer["accepted"], answer["unmatched"]) == (2, 1)
            await daemon.until("/mentions", lambda page: len(page["items"]) == 2)
            await daemon.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)
            alerts = (await daemon.get("/alerts"))["items"]
    assert [one["kind"] for one in alerts] == ["claim.new"]
    (got,) = receiver.kept
    data = json.loads(got.raw)["data"]
    assert data["claim"]["claim"] == "Polynucleotide treatments have no risks or side effects."
    assert (data["claim"]["verdict"], data["claim"]["entry"]) == ("contradicted", "no-side-effects")
    assert data["occurrence"]["quote"] == "zero side effects"
    assert "PN-IFU" in [one["id"] for one in data["evidence"]]
