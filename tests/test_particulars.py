"""Posts that differ by a number, a condition, a material, a comparator or an authority make two claims, and else one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monitor.topic import Topic, TopicError, fold, load_topic
from tests import shipped
from tests import test_plain_cases as plain
from workers.classify.particulars import claims_in
from workers.judge import rule
from workers.judgement import Judge


@pytest.fixture(scope="module")
def topic() -> Topic:
    return shipped.topic()


@pytest.fixture(scope="module")
def judge(topic: Topic) -> Judge:
    return Judge(topic)


def claims(judge: Judge, text: str) -> dict[str, str]:
    """The ids and sentences of what a text claims."""
    return {one.claim_id: one.claim for one in judge.judge("1", text).claims}


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        ("Exosomes took wrinkles down 40%.", "Exosomes took wrinkles down 90%.", ("(40 per cent)", "(90 per cent)")),
        ("Exosomes cure type 1 diabetes.", "Exosomes cure type 2 diabetes.", ("type 1 diabetes", "type 2 diabetes")),
        ("Exosomes cure breast cancer.", "Exosomes cure lung cancer.", ("breast cancer", "lung cancer")),
        ("Los exosomas curan el cáncer de mama.", "Exosomen heilen Hautkrebs.", ("breast cancer", "skin cancer")),
        ("These exosomes come from human fat.", "These exosomes come from bone marrow.", ("human fat", "human bone marrow")),
        ("Exosomes are better than Botox.", "Exosomes are better than fillers.", ("Botox", "fillers")),
        ("The EMA approved our exosomes.", "Swissmedic approved our exosomes.", ("EMA", "Swissmedic")),
        (
            "Exosomes have 10 times the growth factors of PRP.",
            "Exosomes have 1,000 times the growth factors of PRP.",
            ("10", "1000"),
        ),
    ],
)
def test_what_differs_by_one_thing_is_two_claims_and_says_which(
    judge: Judge, one: str, other: str, names: tuple[str, str]
) -> None:
    first, second = claims(judge, one), claims(judge, other)
    assert first
    assert second
    assert not first.keys() & second.keys()
    assert any(names[0] in claim for claim in first.values()), first
    assert any(names[1] in claim for claim in second.values()), second


@pytest.mark.parametrize(
    "wordings",
    [
        ("Exosomes cure breast cancer.", "Exosomen heilen Brustkrebs.", "Gli esosomi curano il tumore al seno."),
        ("Exosomes took wrinkles down 40%.", "Exosomes reduce wrinkles by forty percent."),
        ("The results of exosomes last 12 months.", "The results of exosomes last one year."),
    ],
)
def test_wordings_of_one_claim_are_one(judge: Judge, wordings: tuple[str, ...]) -> None:
    found = [set(claims(judge, text)) for text in wordings]
    assert set.intersection(*found), found


def test_who_names_two_makes_both_claims(judge: Judge) -> None:
    both = claims(judge, "Exosomes cure breast cancer and lung cancer.")
    assert (
        claims(judge, "Exosomes cure breast cancer.").keys() | claims(judge, "Exosomes cure lung cancer.").keys() <= both.keys()
    )


def test_a_particular_keeps_its_propositions_verdict_and_another_authority_has_its_own(topic: Topic) -> None:
    lexicon = topic.lexicon
    particular, whole = lexicon.find("cancer-treated-breast-cancer"), lexicon.find("cancer-treated")
    assert particular is not None
    assert whole is not None
    places = ("US", "UK", "EU")
    assert rule(particular, topic.register, places).entry == rule(whole, topic.register, places).entry == "cancer-treated"
    assert lexicon.propositions["swissmedic-approved"].jurisdiction == "CH"
    assert "swissmedic" not in [word for one in lexicon.cues["ema"] for item in one for word in item.words]


def test_the_base_of_a_labels_key_is_found_whatever_it_names(topic: Topic) -> None:
    lexicon = topic.lexicon
    for key, base in {
        "cancer-treated": "cancer-treated",
        "cancer-treated-breast-cancer": "cancer-treated",
        "collagen-increase-300pct": "boosts-collagen-elastin",
        "count-20-billion": "exosome-count",
        "hair-density-35pct": "increases-hair-density",
        "results-last-years-18-months": "results-last-years",
        "no-such-claim": None,
        "count-means-potency": "count-means-potency",
    }.items():
        assert lexicon.base_of(key) == base, key


def pack(tmp_path: Path, differs_by: str) -> Path:
    """The shipped pack with claims of this sort."""
    copy = tmp_path / "pack"
    shutil.copytree(plain.PACK, copy, ignore=shutil.ignore_patterns("model", "claims"))
    topic = copy / "topic.yaml"
    topic.write_text("\n".join(line for line in topic.read_text().splitlines() if not line.startswith("model")) + "\n")
    folder = copy / "lexicon" / "claims"
    folder.mkdir()
    claim = "  - key: treats-pain\n    claim: Exosomes treat pain.\n    when: [treat* .. pain]\n"
    (folder / "disease_treatment.yaml").write_text(f"type: disease_treatment\nclaims:\n{claim}{differs_by}")
    return copy


def test_an_editor_needs_no_python(tmp_path: Path) -> None:
    written = """    differs_by:
      place: {instead_of: pain, values: {knee pain: ["@knee", knee cap*], jaw pain: [jaw, mandíbula]}}
      sufferer: {instead_of: Exosomes, values: {Exosomes for pianists: [pianist*]}}
"""
    judge = Judge(load_topic(pack(tmp_path, written)))
    assert set(claims(judge, "Exosomes treat knee pain.").values()) == {"Exosomes treat knee pain."}
    assert set(claims(judge, "Exosomes treat the jaw pain of pianists.").values()) == {"Exosomes for pianists treat jaw pain."}
    assert set(claims(judge, "Exosomes treat pain.").values()) == {"Exosomes treat pain."}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("    differs_by: {place: {instead_of: knees, values: {knee pain: [knee]}}}\n", "instead_of must stand once"),
        ("    differs_by: {place: {instead_of: pain, values: {}}}\n", "values are 1 to"),
        ("    differs_by: {place: {instead_of: pain, values: {knee pain: ['@nowhere']}}}\n", "neither words nor @"),
        ("    differs_by: {place: {instead_of: pain, values: {knee pain: ['it''s']}}}\n", "is not a word"),
        (
            "    differs_by: {place: {instead_of: pain, values: {knee: [knee], Knee: [knees]}}}\n",
            "makes the key 'treats-pain-knee'",
        ),
        ("    differs_by: {1: {instead_of: pain, values: {knee: [knee]}}}\n", "is not a name such as condition"),
        (
            "    differs_by: {place: {instead_of: pain, values: {knee: {written: [knee], entry: nothing}}}}\n",
            "no entry 'nothing'",
        ),
    ],
)
def test_what_an_editor_gets_wrong_is_one_sentence(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(TopicError, match=said):
        load_topic(pack(tmp_path, written))


def test_a_name_inside_a_longer_name_does_not_count(tmp_path: Path) -> None:
    written = "    differs_by: {place: {instead_of: pain, values: {back pain: [back], low back pain: [low back]}}}\n"
    proposition = load_topic(pack(tmp_path, written)).lexicon.propositions["treats-pain"]
    assert [one.claim for one in claims_in(proposition, fold("treat low-back pain").text)] == ["Exosomes treat low back pain."]
    assert len(claims_in(proposition, fold("treats low back and upper back pain").text)) == 2
