"""The labelled posts and the register agree on what is true: each proposition reaches the verdict that its label gives it.

A true statement whose proposition has no entry raises an alert by the burden of proof, so this is what keeps false alerts out.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.settings import Settings
from monitor.topic import Topic
from monitor.words import Verdict
from tests import shipped
from workers.judge import one_verdict

ROOT = Path(__file__).resolve().parents[1]

# One label for several claims of the lexicon; none of them is anything but unsupported.
SEVERAL = {
    "acne-rosacea-vitiligo-treated": ("treats-acne", "treats-rosacea", "treats-vitiligo"),
    "crohns-gvhd-treated": ("treats-crohns", "treats-gvhd"),
    "diabetes-kidney-disease-treated": ("treats-diabetes", "treats-kidney-disease"),
    "eczema-psoriasis-treated": ("treats-eczema", "treats-psoriasis"),
    "heart-lung-disease-treated": ("treats-heart-disease", "treats-lung-disease"),
    "long-covid-lyme-fatigue-treated": ("treats-long-covid", "treats-lyme", "treats-chronic-fatigue"),
    "ms-als-treated": ("treats-ms", "treats-als"),
    "sexual-fertility-problems-treated": ("treats-erectile-dysfunction", "treats-infertility"),
    "stroke-brain-spine-injury-treated": ("stroke-brain-injury-treated", "treats-spinal-cord-injury"),
}
# Where the rule of one verdict out of several leads elsewhere than the label: key, verdict, and why.
RULED_OTHERWISE = {
    # The entry says unsupported everywhere and contradicted for the US, where FDA told sellers that the product is unapproved for
    # it. The US is a configured jurisdiction that the entry lists, and the UK and the EU are none, so the US decides.
    "covid-ards-treated": "contradicted",
}


@pytest.fixture(scope="module")
def topic() -> Topic:
    return shipped.topic()


@pytest.fixture
def labels(shared: Path) -> dict[str, str]:
    """The verdict of each claim key of keys.jsonl and train.jsonl."""
    rows = [json.loads(line) for line in (shared / "data" / "keys.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in (shared / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines():
        rows += json.loads(line)["claims"]
    found: dict[str, str] = {}
    for row in rows:
        assert found.setdefault(row["claim_key"], row["verdict"]) == row["verdict"], f"{row['claim_key']} has two verdicts"
    return found


def ours() -> dict[str, str]:
    """The lexicon's key for each key of the labels that has a row in training/keys.tsv."""
    lines = (ROOT / "training" / "keys.tsv").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs)
    mapped = {theirs: theirs if our == "=" else our for theirs, our in pairs}
    assert len(mapped) == len(pairs), "each key has one row"
    return mapped


def reached(topic: Topic, key: str) -> Verdict:
    """The verdict of a proposition with the default jurisdictions."""
    proposition = topic.lexicon.propositions[key]
    entry = topic.register.get(proposition.entry)
    return one_verdict(entry.verdicts if entry else {}, Settings().alerts.jurisdictions, proposition.jurisdiction)[0]


def test_every_label_has_a_claim_of_the_lexicon(topic: Topic, labels: dict[str, str]) -> None:
    mapped = ours()
    assert len(labels) > 550
    assert {key for key in labels if mapped.get(key, key) not in topic.lexicon.propositions} == SEVERAL.keys()
    assert mapped.keys() <= labels.keys()
    assert not mapped.keys() & SEVERAL.keys()


def test_every_proposition_reaches_the_verdict_of_its_label(topic: Topic, labels: dict[str, str]) -> None:
    mapped = ours()
    expected = {key: RULED_OTHERWISE.get(key, verdict) for key, verdict in labels.items() if key not in SEVERAL}
    found = {key: reached(topic, mapped.get(key, key)) for key in expected}
    assert {key: (found[key], verdict) for key, verdict in expected.items() if found[key] != verdict} == {}
    assert sum(verdict != "unsupported" for verdict in expected.values()) > 200


def test_labels_of_several_claims_are_unsupported_in_each(topic: Topic, labels: dict[str, str]) -> None:
    for label, keys in SEVERAL.items():
        assert labels[label] == "unsupported"
        assert {reached(topic, key) for key in keys} == {"unsupported"}


def test_what_is_said_of_a_verdict_elsewhere_holds(topic: Topic) -> None:
    """The entries that decide by a place of their own do so for propositions that name that place."""
    for key, verdict in {
        "human-exosomes-legal-taiwan": "supported",
        "human-exosomes-legal-china": "contradicted",
        "human-exosomes-legal-uk-eu": "contradicted",
        "human-exosomes-legal-us-cosmetics": "unsupported",
        "plant-exosomes-legal-canada": "unsupported",
        "swissmedic-approved": "contradicted",
        "tga-biologicals-need-registration": "supported",
        "vet-exosomes-licensed": "contradicted",
        "injection-approved-saudi": "contradicted",
        "injection-approved-elsewhere": "unsupported",
        "exosomes-safe": "unsupported",
        "injection-safe": "contradicted",
    }.items():
        assert reached(topic, key) == verdict, key


def test_every_proposition_that_names_an_authority_is_judged_by_its_place(topic: Topic) -> None:
    assert topic.register.loose_ends(topic.lexicon.propositions.values()) == [
        "human-exosomes-banned-cosmetics: no claim of the lexicon names this entry"
    ]
