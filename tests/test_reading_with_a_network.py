"""How a text is read with a network: which claims come of what it sees in each word, of the rules' hints, and of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from monitor.topic import TopicError
from monitor.topic.fold import fold
from tests.tiny_reader import (
    KEYS,
    SPECIAL,
    STANCES,
    TYPES,
    WORDS,
    Word,
    card,
    disease,
    heads,
    hint,
    law,
    learned,
    propositions,
    write,
)
from workers.classify.found import Finds, Found
from workers.classify.learned import MAX_FINDS, Learned
from workers.classify.spans import Span

KNOWN = propositions()
Said = tuple[str, str, str]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    return learned(tmp_path_factory.mktemp("model"))


def read(reader: Learned, text: str, *hints: Found) -> Finds:
    return reader.find(fold(text), (), hints)


def said(reader: Learned, text: str, *hints: Found) -> list[Said]:
    """Quote, claim and stance of each claim of a text."""
    found = read(reader, text, *hints).claims
    return [
        (text[one.start : one.end], one.proposition.key, "reports with distance" if one.distance else one.stance) for one in found
    ]


def test_a_claim_says_all_that_is_known_of_it(reader: Learned) -> None:
    (one,) = read(reader, "We: cures ARTHRITIS!").claims
    assert one == Found(
        start=4,
        end=19,
        type="disease_treatment",
        stance="asserts",
        distance=False,
        testimonial=False,
        proposition=KNOWN["treats-arthritis"],
        number=None,
        confidence=0.9,
        by="read as the claim treats-arthritis by the model",
        cue="65% sure",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("we and the", []),
        ("", []),
        (
            "we cures diabetes and fda approved",
            [("cures diabetes", "treats-diabetes", "asserts"), ("fda approved", "fda-approved", "asserts")],
        ),
        ("fda approved", [("fda approved", "fda-approved", "asserts")]),
        ("beats lasers", [("beats lasers", "beats-lasers", "asserts")]),
        ("never cures diabetes", [("never cures diabetes", "treats-diabetes", "denies")]),
        ("maybe cures diabetes", [("maybe cures diabetes", "treats-diabetes", "asks")]),
        ("says cures diabetes", [("says cures diabetes", "treats-diabetes", "reports")]),
        ("allegedly cures diabetes", [("allegedly cures diabetes", "treats-diabetes", "reports with distance")]),
    ],
)
def test_a_claim_has_the_type_stance_and_proposition_that_the_network_sees(
    reader: Learned, text: str, expected: list[Said]
) -> None:
    assert said(reader, text) == expected


def test_the_writers_own_result_is_a_testimonial(reader: Learned) -> None:
    assert [one.testimonial for one in read(reader, "my arthritis and fda approved").claims] == [True, False]


def test_how_sure_a_find_is_has_three_decimals_and_its_stance_none(tmp_path: Path) -> None:
    words = {"cures": disease(0.8765432, treats_arthritis=3), "never": disease(0.8765432, denies=2)}
    (one,) = read(learned(tmp_path, words), "never cures").claims
    assert one.confidence == 0.877
    assert (one.stance, one.cue) == ("asserts", "42% sure"), "the denial is nearly as likely, the three others are not"


@pytest.mark.parametrize(("keep", "kept"), [(0.39, True), (0.41, False)])
def test_what_is_not_likely_enough_is_dropped(tmp_path: Path, keep: float, kept: bool) -> None:
    text = "faint"
    one = hint(text, "faint", KNOWN["treats-diabetes"])
    assert bool(read(learned(tmp_path, keep=keep), text, one).claims) is kept


def test_what_is_exactly_likely_enough_is_kept(tmp_path: Path) -> None:
    text = "even"
    one = hint(text, "even", KNOWN["treats-diabetes"])
    (claim,) = read(learned(tmp_path, {"even": disease(0.5)}, keep=0.5), text, one).claims
    assert claim.confidence == 0.5


def test_where_the_rules_find_a_claim_of_the_type_too_it_is_surer(tmp_path: Path) -> None:
    reader, text = learned(tmp_path, agreement=1.0), "cures diabetes and fda approved"
    assert [one.confidence for one in read(reader, text).claims] == [0.9, 0.9]
    of_it = hint(text, "cures", KNOWN["treats-diabetes"])
    assert [one.confidence for one in read(reader, text, of_it).claims] == [0.961, 0.9]


def test_the_same_thing_said_twice_is_one_claim_where_it_is_surest(tmp_path: Path) -> None:
    words = {**WORDS, "mends": disease(0.8, treats_diabetes=8), "fixes": disease(0.9, treats_diabetes=8)}
    reader = learned(tmp_path, words)
    assert said(reader, "mends the fixes") == [("fixes", "treats-diabetes", "asserts")]
    assert said(reader, "fixes the mends") == [("fixes", "treats-diabetes", "asserts")]
    assert [one.start for one in read(reader, "fixes the fixes").claims] == [0], "of equals the first"
    apart = said(reader, "fixes the never fixes")
    assert apart == [("fixes", "treats-diabetes", "asserts"), ("never fixes", "treats-diabetes", "denies")]
    told = said(reader, "says fixes the allegedly fixes")
    assert [stance for _, _, stance in told] == ["reports", "reports with distance"]


def test_claims_stand_in_the_order_of_the_text(tmp_path: Path) -> None:
    words = {**WORDS, "mends": disease(0.8, treats_diabetes=8), "fixes": disease(0.9, treats_diabetes=8)}
    text = "mends and fda approved the fixes"
    assert [key for _, key, _ in said(learned(tmp_path, words), text)] == ["fda-approved", "treats-diabetes"]


@pytest.mark.parametrize(("strong", "weak_is_read"), [(MAX_FINDS - 1, True), (MAX_FINDS, False)])
def test_of_very_many_finds_the_surest_are_read(tmp_path: Path, strong: int, weak_is_read: bool) -> None:
    words = {**WORDS, "licit": law(0.85, fda_approved=8)}
    text = "licit. " + "cures. " * strong
    keys = {one.proposition.key for one in read(learned(tmp_path, words), text).claims}
    assert keys == {"treats-arthritis", *(["fda-approved"] if weak_is_read else [])}


def test_each_window_of_a_long_text_is_read_for_itself(reader: Learned) -> None:
    text = "cures arthritis. " + "we " * 150 + ". " + "fda approved. " + "we " * 150 + "never cures diabetes"
    assert [key for _, key, _ in said(reader, text)] == ["treats-arthritis", "fda-approved", "treats-diabetes"]
    assert [quote for quote, _, _ in said(reader, text)] == ["cures arthritis", "fda approved", "never cures diabetes"]
    parts = [len(part) for part, _ in reader.look(fold("we " * 100 + ". " + "the " * 100), ())]
    assert parts == [101, 100], "windows end where sentences do"


def test_of_a_very_long_text_the_windows_are_read_that_name_the_topic(reader: Learned) -> None:
    text = "we " * 160 * 60 + "fda approved"
    assert said(reader, text) == []
    place = (len(text) - 8, len(text))
    assert [one.proposition.key for one in reader.find(fold(text), [place]).claims] == ["fda-approved"]


@pytest.mark.parametrize(("least", "expected"), [(0.89, True), (0.91, False)])
def test_harm_and_the_topic_are_seen_from_some_chance_on(tmp_path: Path, least: float, expected: bool) -> None:
    reader = learned(tmp_path, harm=least, relevant=least)
    assert read(reader, "we harm the").harm is expected
    assert not read(reader, "we harm the").relevant
    assert read(reader, "we exosomes the").relevant is expected
    assert not read(reader, "we exosomes the").harm
    late = "we " * 200 + "harm " + "we " * 200 + "exosomes"
    assert read(reader, late) == Finds((), expected, expected), "wherever in the text"


def test_the_chance_from_which_on_they_are_seen_is_enough(tmp_path: Path) -> None:
    reader = learned(tmp_path, {"even": Word(whole={"harm": 0.5, "relevant": 0.5})})
    assert read(reader, "even") == Finds((), True, True)


def test_an_empty_text_says_nothing(reader: Learned) -> None:
    assert read(reader, "") == Finds((), False, False)


@pytest.mark.parametrize(("missing", "words"), [("fda-approved", "'fda-approved'"), ("treats-arthritis", "'treats-arthritis'")])
def test_a_claim_that_the_lexicon_lacks_is_one_clear_error(tmp_path: Path, missing: str, words: str) -> None:
    lexicon = {key: one for key, one in KNOWN.items() if key != missing}
    with pytest.raises(TopicError) as error:
        learned(tmp_path, lexicon=lexicon)
    told = "that the lexicon lacks; add it there, or train anew (`make train`)"
    assert str(error.value) == f"the model knows a claim {words} {told}"


def test_the_reader_is_of_the_models_version_and_card(reader: Learned) -> None:
    assert reader.version.startswith("tiny-")
    assert reader.card.keys == tuple(KEYS)


def test_a_whole_text_is_likened_by_its_first_window_and_its_likeliest_type(tmp_path: Path) -> None:
    values = heads()
    values["kind.weight"] = np.arange(len(TYPES) * 14, dtype=np.float32).reshape(len(TYPES), 14) % 5
    words = {"law": Word(whole={"regulatory_status": 0.9}, says={"asks": 3.0}), "cure": disease(0.5, denies=2)}
    tables = table_of(words)
    network = write(tmp_path, card(), [*SPECIAL, *words], values, *tables)
    reader, text = Learned(network, KNOWN), "cure law cure"
    ((_, seen),) = reader.look(fold(text), ())
    opinion = reader.judge(seen, Span(1, 0, 3, 0.0))
    expected = network.likeness.vector(opinion.vector, opinion.words, text)
    assert reader.likeness_vector(fold("Cure LAW cure")) == pytest.approx(expected)
    assert float(np.linalg.norm(expected)) == pytest.approx(1.0)
    other = reader.judge(seen, Span(1, 1, 3, 0.0))
    assert other.words.tolist() != opinion.words.tolist()


def table_of(words: Mapping[str, Word]) -> tuple[list[list[float]], list[list[float]], list[list[float]]]:
    """The tables of an encoder in which only the state and the types of the whole are seen."""
    seen = [*[Word()] * len(SPECIAL), *words.values()]
    states = [[word.says.get(mark, 0.0) for mark in (*STANCES, *KEYS, "own", "alerting")] for word in seen]
    whole = [[*(word.whole.get(kind, 0.0) for kind in TYPES), 0.0, 0.0, 0.0] for word in seen]
    return states, [[0.0] * 6 for _ in seen], whole
