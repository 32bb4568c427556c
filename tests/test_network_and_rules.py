"""Where network and rules read the same words: what a hint changes, what it adds, and what nobody knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.topic.fold import fold
from monitor.topic.lexicon import Proposition
from monitor.topic.particulars import load_differences, with_values
from tests.tiny_reader import WORDS, Word, better, disease, hint, learned, propositions
from workers.classify.found import Finds, Found
from workers.classify.learned import Learned, own_proposition
from workers.classify.spans import Span

KNOWN = propositions()
ARTHRITIS, DIABETES, APPROVED = KNOWN["treats-arthritis"], KNOWN["treats-diabetes"], KNOWN["fda-approved"]
MORE = {
    **WORDS,
    "mild": disease(0.7),
    "by": disease(0.9),
    "30": disease(0.9),
    "percent": disease(0.9),
    "joint": disease(0.9),
    "knee": disease(0.9),
    "alarm": Word(inside={"disease_treatment": 0.9}, says={"alerting": 5.0}),
    "calm": Word(whole={"alerting": 0.99}),
    "faint": disease(0.4),
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    return learned(tmp_path_factory.mktemp("model"), MORE)


def read(reader: Learned, text: str, *hints: Found) -> Finds:
    return reader.find(fold(text), (), hints)


def quotes(reader: Learned, text: str, *hints: Found) -> list[tuple[str, str]]:
    """Quote and claim of each claim of a text."""
    return [(text[one.start : one.end], one.proposition.key) for one in read(reader, text, *hints).claims]


@pytest.mark.parametrize(("named", "expected"), [(1.0, "treats-diabetes"), (1.4, "treats-diabetes"), (1.6, "treats-arthritis")])
def test_a_claim_that_the_lexicon_names_is_so_many_times_likelier(tmp_path: Path, named: float, expected: str) -> None:
    text = "cures sugar"  # which says diabetes half as much again as arthritis
    one = hint(text, "sugar", ARTHRITIS)
    assert quotes(learned(tmp_path, named=named), text, one) == [("cures sugar", expected)]


def test_a_named_claim_that_is_chosen_is_sure_and_says_by_which_wording(tmp_path: Path) -> None:
    reader, text = learned(tmp_path, sure=0.99), "cures sugar"
    (unsure,) = read(reader, text, hint(text, "sugar", ARTHRITIS)).claims
    assert (unsure.sure, unsure.by) == (False, "read as the claim treats-diabetes by the model")
    hints = (hint(text, "sugar", DIABETES, by="the wording sugar"), hint(text, "cures", DIABETES, by="the wording cures"))
    (sure,) = read(reader, text, *hints).claims
    assert (sure.sure, sure.by) == (True, "read as the claim treats-diabetes by the model, and the wording sugar")


@pytest.mark.parametrize(("least", "sure"), [(0.55, True), (0.65, False)])
def test_from_some_chance_on_the_likeliest_claim_is_sure(tmp_path: Path, least: float, sure: bool) -> None:
    (one,) = read(learned(tmp_path, sure=least), "cures sugar").claims
    assert one.sure is sure


def test_the_only_claim_of_its_type_is_as_sure_as_can_be(tmp_path: Path) -> None:
    (one,) = read(learned(tmp_path, sure=1.0), "fda approved").claims
    assert one.sure


def test_a_stance_that_the_rules_read_is_likelier(tmp_path: Path) -> None:
    text = "cures diabetes"
    denial = hint(text, "cures", DIABETES, stance="denies")
    hints = {"asserts": 1.0, "denies": 20.0, "asks": 1.0, "reports": 1.0, "reports with distance": 1.0}
    (one,) = read(learned(tmp_path, hints=hints), text, denial).claims
    assert (one.stance, one.cue) == ("denies", "66% sure")


def test_a_window_that_is_not_to_be_alerted_about_makes_a_denial_likelier(tmp_path: Path) -> None:
    reader = learned(tmp_path, MORE, alerting=(0.0, 1.0))
    assert [one.stance for one in read(reader, "calm the cures arthritis").claims] == ["asserts"]
    assert [one.stance for one in read(reader, "cures arthritis").claims] == ["denies"]
    assert [one.stance for one in read(reader, "cures aging").claims] == ["asserts"], "nobody doubts it, so it raises no alert"


def test_a_claim_that_is_to_be_alerted_about_is_likelier_a_doubted_one(tmp_path: Path) -> None:
    words = {**MORE, "either": disease(0.9, treats_arthritis=4, cures_aging=4.5)}
    reader = learned(tmp_path, words, alerting=(1.0, 0.0))
    assert quotes(reader, "cures either") == [("cures either", "cures-aging")]
    assert quotes(reader, "alarm either") == [("alarm either", "treats-arthritis")]


@pytest.mark.parametrize(
    ("text", "quote", "expected"),
    [
        ("we faint the", "faint", [("faint", "treats-diabetes", 0.4)]),
        ("we.faint.we", "faint", [("faint", "treats-diabetes", 0.4)]),
        ("we faint mild the", "faint mild", [("faint mild", "treats-diabetes", 0.55)]),
        ("we faint mild faint the", "faint mild faint", [("faint mild faint", "treats-diabetes", 0.5)]),
        ("we faint the", "ain", [("faint", "treats-diabetes", 0.4)]),
        # beside what the network sees, and before it
        ("cures faint the", "faint", [("cures", "treats-arthritis", 0.9), ("faint", "treats-diabetes", 0.4)]),
        ("the faint cures", "faint", [("faint", "treats-diabetes", 0.4), ("cures", "treats-arthritis", 0.9)]),
        # where it shares a word with what the network sees, that is what is read
        ("cures faint the", "cures faint", [("cures", "treats-diabetes", 0.9)]),
        ("the faint cures", "faint cures", [("cures", "treats-diabetes", 0.9)]),
        ("cures mild mild the", "cures", [("cures mild mild", "treats-diabetes", 0.767)]),
        ("the mild mild cures", "cures", [("mild mild cures", "treats-diabetes", 0.767)]),
        # what the network sees there is of another type
        ("fda approved", "fda", [("fda", "treats-diabetes", 0.02), ("fda approved", "fda-approved", 0.9)]),
    ],
)
def test_words_that_only_the_rules_see_are_read_too(
    tmp_path: Path, text: str, quote: str, expected: list[tuple[str, str, float]]
) -> None:
    reader = learned(tmp_path, MORE, keep=0.01, named=1_000.0)
    found = read(reader, text, hint(text, quote, DIABETES)).claims
    read_as = [
        (text[one.start : one.end], one.proposition.key, round(one.confidence, 2 if one.confidence < 0.1 else 3)) for one in found
    ]
    assert sorted(read_as) == sorted(expected)


def test_a_hint_outside_of_a_window_is_none_of_its_words(reader: Learned) -> None:
    text = "we " * 160 + "cures diabetes"
    assert quotes(reader, text, hint(text, "cures", DIABETES)) == [("cures diabetes", "treats-diabetes")]


def test_what_the_network_does_not_know_is_as_the_rules_read_it(reader: Learned) -> None:
    text = "we the knee"
    for harm, stance, expected in [
        (True, "asserts", True),
        (True, "reports", True),
        (True, "denies", False),
        (True, "asks", False),
        (False, "asserts", False),
    ]:
        one = Proposition(key="itches", type="disease_treatment", claim="It itches.", patterns=(), harm=harm)
        added = hint(text, "knee", one, stance=stance)  # type: ignore[arg-type]
        assert read(reader, text, added) == Finds((added,), expected, False)


def test_of_a_claim_that_it_knows_the_network_says_whether_it_harms(tmp_path: Path) -> None:
    lexicon = propositions(treats_diabetes={"harm": True})
    text = "cures diabetes"
    finds = read(learned(tmp_path, lexicon=lexicon), text, hint(text, "diabetes", lexicon["treats-diabetes"]))
    assert [one.proposition.key for one in finds.claims] == ["treats-diabetes"]
    assert not finds.harm


def numbered(tmp_path: Path) -> tuple[Learned, Proposition]:
    more = {"number": "percent", "number_key": "treats-{number}", "number_claim": "It treats {number}."}
    lexicon = propositions(treats_diabetes=more)
    return learned(tmp_path, MORE, lexicon), lexicon["treats-diabetes"]


def test_the_number_of_a_claim_is_read_in_its_own_words(tmp_path: Path) -> None:
    reader, lexicon = numbered(tmp_path)
    assert [one.number for one in read(reader, "cures diabetes by 30 percent").claims] == ["30"]
    assert [one.number for one in read(reader, "cures diabetes").claims] == [None]
    assert [one.number for one in read(reader, "cures arthritis by 30 percent").claims] == [None], "it has none"
    text = "cures diabetes by 30 percent"
    both = read(reader, text, hint(text, "diabetes", lexicon, number="70")).claims
    assert [one.number for one in both] == ["30"]


@pytest.mark.parametrize(
    ("quote", "expected"), [("diabetes we the", "cures diabetes we the"), ("the we cures", "the we cures diabetes")]
)
def test_a_number_that_the_rules_read_beside_them_counts_and_the_quote_reaches_there(
    tmp_path: Path, quote: str, expected: str
) -> None:
    reader, lexicon = numbered(tmp_path)
    text = "and the we cures diabetes we the and"
    (one,) = read(reader, text, hint(text, quote, lexicon, number="70")).claims
    assert (one.number, text[one.start : one.end]) == ("70", expected)
    (plain,) = read(reader, text, hint(text, quote, lexicon)).claims
    assert (plain.number, text[plain.start : plain.end]) == (None, "cures diabetes")
    first, second = hint(text, quote, lexicon, number="70"), hint(text, "cures", lexicon, number="80")
    assert [one.number for one in read(reader, text, first, second).claims] == ["70"], "the first that names one"


def particular(tmp_path: Path) -> tuple[Learned, Proposition, dict[str, Proposition]]:
    values: dict[str, Any] = {"gout": ["knee"], "rheumatism": ["joint"]}
    sentence = "It treats arthritis."
    raw = {"condition": {"instead_of": "arthritis", "values": values}}
    lexicon = propositions(treats_arthritis={"claim": sentence, "differs_by": load_differences(raw, "here", [sentence], {})})
    one = lexicon["treats-arthritis"]
    return learned(tmp_path, MORE, lexicon), one, {value.name: with_values(one, [value]) for value in one.differs_by[0].values}


def test_a_span_makes_one_claim_for_each_condition_that_it_names(tmp_path: Path) -> None:
    reader, _, of = particular(tmp_path)
    found = read(reader, "cures arthritis joint knee").claims
    assert [one.proposition for one in found] == [of["gout"], of["rheumatism"]]
    assert [one.by for one in found] == [f"read as the claim {of[name].key} by the model" for name in ("gout", "rheumatism")]
    assert {(one.start, one.end) for one in found} == {(0, 26)}


def test_a_condition_that_the_rules_read_beside_them_counts_where_the_span_names_none(tmp_path: Path) -> None:
    reader, plain, of = particular(tmp_path)
    text = "cures arthritis the we joint knee"
    beside = hint(text, "arthritis the we", of["gout"])
    assert quotes(reader, text, beside)[0] == ("cures arthritis the we", of["gout"].key)
    near = (hint(text, "arthritis the", plain), hint(text, "arthritis the we", of["gout"]), hint(text, "cures", of["rheumatism"]))
    assert [key for _, key in quotes(reader, "cures arthritis the we", *near)] == [of["gout"].key, of["rheumatism"].key]
    assert quotes(reader, "cures arthritis the we", near[0]) == [("cures arthritis", "treats-arthritis")]
    text = "cures arthritis joint the we"
    assert quotes(reader, text, hint(text, "joint the we", of["gout"])) == [("cures arthritis joint", of["rheumatism"].key)]


LISTED = {**WORDS, "or": better(0.9)}
BOTOX, LASERS, WATER = (KNOWN[f"beats-{name}"] for name in ("botox", "lasers", "water"))
LIST = "beats botox or lasers or water"


def listed(tmp_path: Path, *hints: Found) -> list[Found]:
    return list(read(learned(tmp_path, LISTED, named=2.0), LIST, *hints).claims)


def test_the_other_claims_of_a_list_stand_beside_the_one_that_the_network_names(tmp_path: Path) -> None:
    other = hint(LIST, "lasers", LASERS, number="7", by="the wording lasers")
    first, second = listed(tmp_path, hint(LIST, "botox", BOTOX, by="the wording botox"), other)
    assert (first.proposition, LIST[first.start : first.end]) == (BOTOX, LIST)
    assert (second.proposition, LIST[second.start : second.end]) == (LASERS, "lasers")
    assert (second.number, second.by) == ("7", "the wording lasers, listed beside beats-botox")
    kept = ("type", "stance", "distance", "testimonial", "confidence", "cue", "sure", "wording")
    assert [getattr(second, name) for name in kept] == [getattr(first, name) for name in kept]


def test_a_list_is_read_only_where_the_rules_see_the_networks_claim_too(tmp_path: Path) -> None:
    reader = learned(tmp_path, {**LISTED, "botox": better(0.9, beats_botox=20)})
    assert quotes(reader, LIST, hint(LIST, "lasers", LASERS)) == [(LIST, "beats-botox")]


@pytest.mark.parametrize(
    ("quote", "proposition"),
    [
        ("botox", LASERS),  # the same words
        ("or lasers", BOTOX),  # the same claim
        ("water", WATER),  # which nobody doubts
    ],
)
def test_what_is_of_the_same_words_the_same_claim_or_not_doubted_alike_is_not_listed(
    tmp_path: Path, quote: str, proposition: Proposition
) -> None:
    found = listed(tmp_path, hint(LIST, "botox", BOTOX), hint(LIST, quote, proposition))
    assert [one.proposition for one in found] == [BOTOX]


def test_a_claim_is_listed_once_and_one_that_the_network_does_not_know_stands_for_itself(tmp_path: Path) -> None:
    again = (hint(LIST, "lasers", LASERS), hint(LIST, "or lasers", LASERS))
    assert [LIST[one.start : one.end] for one in listed(tmp_path, hint(LIST, "botox", BOTOX), *again)] == [LIST, "lasers"]
    unknown = hint(LIST, "water", Proposition(key="beats-tea", type="superiority", claim="It beats tea.", patterns=()))
    assert listed(tmp_path, hint(LIST, "botox", BOTOX), unknown)[1:] == [unknown]


def test_a_claim_less_familiar_than_those_of_the_lexicon_is_its_own(tmp_path: Path) -> None:
    reader, text = learned(tmp_path, own=1.0, like=(0.6, 0.8), sure=0.9), "the cures heals we"
    (one,) = read(reader, text).claims
    assert one.proposition == own_proposition(ARTHRITIS, "cures heals")
    assert text[one.start : one.end] == "cures heals"
    told = "read by the model as a claim that the lexicon does not know (treats-arthritis is likeliest, at 33%)"
    assert (one.by, one.sure, one.stance, one.number) == (told, True, "asserts", None)
    assert one.wording is not None
    assert (one.wording.maybe, one.wording.sure) == (0.6, 0.8)
    ((_, seen),) = reader.look(fold(text), ())
    opinion = reader.judge(seen, Span(0, 1, 3, 0.9))
    vector = np.frombuffer(one.wording.vector, dtype=np.float16)
    assert vector == pytest.approx(reader.likeness_vector(fold("cures heals")), abs=1e-3)
    assert len(vector) == 2 * len(opinion.vector) + 256


def test_one_that_is_as_familiar_or_that_the_lexicon_names_is_not(tmp_path: Path) -> None:
    reader, text = learned(tmp_path, own=1.0, named=2.0), "cures heals"
    assert quotes(reader, "cures diabetes") == [("cures diabetes", "treats-diabetes")]
    assert quotes(reader, text, hint(text, "heals", DIABETES)) == [(text, "treats-diabetes")]
    assert quotes(learned(tmp_path / "even", own=0.0), text) == [(text, "treats-arthritis")]


def test_words_that_say_too_little_are_no_claim_of_their_own(tmp_path: Path) -> None:
    assert read(learned(tmp_path, own=1.0), "cures").claims == ()
