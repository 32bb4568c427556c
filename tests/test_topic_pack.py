"""A tiny pack about something else works through everything, and a faulty one says where the fault is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.topic import Topic, TopicError, load_topic
from workers.judgement import Judge

FILES = {
    "topic.yaml": "name: kombucha\ntitle: Kombucha claims\n",
    "keywords.yaml": """
keywords:
  - name: kombucha
    written: ["*kombucha*", 콤부차]
  - name: tea mushroom
    written: [tea mushroom*]
  - name: booch
    written: [booch]
    needs: [tea, brew*, scoby]
other_meanings:
  - written: [kombucha girl]
    unless: [scoby]
""",
    "lexicon/cues/en.yaml": "cues:\n  cure: [cure*, heal|heals|healed]\n  gout: [gout]\n",
    "lexicon/cues/de.yaml": "language: de\ncues:\n  cure: [heilt, heilen]\n  gout: [gicht]\n",
    "lexicon/claims/disease_treatment.yaml": """
type: disease_treatment
claims:
  - key: gout-cured
    claim: Kombucha cures gout.
    entry: gout-cured
    when: ["@cure + @gout"]
    sure: 0.9
""",
    "lexicon/claims/composition.yaml": """
type: composition
claims:
  - key: alcohol-free
    claim: Kombucha holds no alcohol.
    negative: true
    when: ["no|zero alcohol", alcohol free]
""",
    "register/all.yaml": """
entries:
  - id: gout-cured
    type: disease_treatment
    claim: Kombucha cures gout.
    verdicts: {global: unsupported, UK: contradicted}
    as_of: 2026-03-01
    citations:
      - {id: REVIEW, citation: A review of fermented drinks, kind: review, url: "https://example.org/review", year: 2025}
  - id: tea-is-tea
    type: composition
    claim: Kombucha is made from tea.
    verdicts: {global: supported}
    as_of: 2026-03-01
    citations:
      - {id: BOOK, citation: A book on brewing, kind: review, mark: from memory}
""",
}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return tmp_path


@pytest.fixture
def topic(pack: Path) -> Topic:
    return load_topic(pack)


def test_the_pack_loads(topic: Topic) -> None:
    assert (topic.name, topic.title) == ("kombucha", "Kombucha claims")
    assert topic.keywords.find("K0mbucha for everyone") == ("kombucha",)
    assert topic.keywords.find("콤부차를 마셨다") == ("kombucha",)
    assert topic.keywords.find("that kombucha girl meme") == ()
    assert topic.keywords.find("booch") == ()
    assert topic.keywords.find("my booch and its scoby") == ("booch",)
    assert len(topic.register) == 2


def test_claims_go_all_the_way_to_a_verdict(topic: Topic) -> None:
    judge = Judge(topic, ["UK"])
    said = judge.judge("1", "Kombucha heals gout!").claims[0]
    assert (said.claim, said.verdict, said.basis) == ("Kombucha cures gout.", "contradicted", "register")
    assert "entry gout-cured says" in said.why
    assert [e.id for e in said.evidence] == ["REVIEW"]
    german = judge.judge("2", "Kombucha heilt die Gicht und ist gut").claims[0]
    assert german.claim_id == said.claim_id
    denied = judge.judge("3", "Kombucha does not cure gout")
    assert (denied.claims[0].stance, denied.claims[0].claim_id, denied.alert) == ("denies", said.claim_id, False)
    bare = judge.judge("4", "Our kombucha has no alcohol").claims[0]
    assert (bare.stance, bare.verdict, bare.basis) == ("asserts", "unsupported", "burden of proof")
    assert judge.judge("5", "Exosomes cure gout").relevant is False


def test_nothing_of_exosomes_leaks_into_another_topic(topic: Topic) -> None:
    assert not Judge(topic).judge("1", "Exosomes are FDA approved and cure arthritis").claims


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("topic.yaml", "name: kombucha", "nam: kombucha", "topic.yaml: unknown key 'nam'; allowed are name, title"),
        ("keywords.yaml", "written: [tea mushroom*]", "written: 3", "keyword 2.*written must be a list"),
        (
            "lexicon/claims/composition.yaml",
            "type: composition",
            "type: contents",
            "unknown type 'contents'; allowed are skin_efficacy",
        ),
        (
            "lexicon/claims/disease_treatment.yaml",
            '"@cure + @gout"',
            '"@cure + @flu"',
            r"claim 1 \(gout-cured\): there is no cue named 'flu'; cues are cure, gout",
        ),
        ("lexicon/claims/disease_treatment.yaml", '"@cure + @gout"', '"cure( + gout"', "is not a word"),
        ("lexicon/claims/disease_treatment.yaml", "entry: gout-cured", "entry: gout", "the register has no entry 'gout'"),
        ("lexicon/claims/disease_treatment.yaml", "sure: 0.9", "sure: 9", "sure is a share from 0 to 1"),
        ("lexicon/claims/disease_treatment.yaml", "sure: 0.9", "over: [nothing]", "over names 'nothing'"),
        ("lexicon/claims/composition.yaml", "key: alcohol-free", "key: gout-cured", "the key 'gout-cured' is used twice"),
        ("lexicon/cues/en.yaml", "gout: [gout]", "gout: [no]", "put it in quotes"),
    ],
)
def test_a_fault_is_named_with_its_place_and_what_is_allowed(pack: Path, file: str, old: str, new: str, says: str) -> None:
    path = pack / file
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")
    with pytest.raises(TopicError) as error:
        load_topic(pack)
    assert re.search(says, str(error.value)), str(error.value)
    assert Path(file).name in str(error.value) or "lexicon" in str(error.value)


def test_a_missing_file_is_named(pack: Path) -> None:
    (pack / "keywords.yaml").unlink()
    with pytest.raises(TopicError, match=r"keywords\.yaml: there is no such file"):
        load_topic(pack)
