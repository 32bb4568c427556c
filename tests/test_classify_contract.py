"""What other parts rely on: quotes are where they say, nothing crashes, nothing is slow, the same text is judged the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.words import MAX_TEXT, Judgement
from tests import shipped
from workers.classify.learned import MAX_FINDS
from workers.judgement import Judge

JUDGE, RULES = shipped.judge(), Judge(replace(shipped.topic(), model=None))


def holds(text: str, judgement: Judgement) -> None:
    for claim in judgement.claims:
        assert 0 <= claim.start < claim.end <= len(text)
        assert text[claim.start : claim.end] == claim.quote
        assert claim.quote == claim.quote.strip()
        assert 0 <= claim.confidence <= 1
        assert claim.claim_id.startswith("c_")
        assert claim.why
        assert not (claim.basis == "register" and not claim.evidence)
    assert judgement.alert == any(claim.alerting for claim in judgement.claims)


@pytest.mark.parametrize(
    "text",
    [
        "👩🏽‍⚕️🧬 Exosomes cure arthritis 🎉🎉",
        "é́́ Exosomes ＣＵＲＥ ａｒｔｈｒｉｔｉｓ",
        "еx\u200bоsоmеs\u00ad cu\u200dre arthr\u0456tis, no s1de effects",
        "My nan\u2019s exosomes: \u201czero risk\u201d\u2026 and FDA\u00a0approved",
        "e x o s o m e s are f d a approved",
        "الإكسوسوم يعالج التهاب المفاصل 🎉",
        "엑소좀은 FDA 승인을 받았습니다",
        "line one\r\n\r\nExosomes triple collagen\tby 300 %",
        "#exosomes #FDAapproved #noSideEffects",
    ],
)
def test_quotes_are_exact_substrings_at_their_offsets(text: str) -> None:
    judgement = JUDGE.judge("1", text)
    assert judgement.claims
    holds(text, judgement)


def test_the_quote_of_a_hashtag_is_the_hashtag() -> None:
    judgement = JUDGE.judge("1", "new in! #exosomes #FDAapproved")
    assert [claim.quote for claim in judgement.claims] == ["#FDAapproved"]


def test_several_claims_of_one_post_are_all_found() -> None:
    text = "Exosomes regrow hair. They have no side effects. They beat Botox. And they are FDA approved!"
    assert {claim.type for claim in JUDGE.judge("1", text).claims} == {
        "hair_efficacy",
        "safety",
        "superiority",
        "regulatory_status",
    }


def test_a_long_article_is_read_near_its_mentions() -> None:
    filler = "The weather in the valley was mild and the market sold apples. " * 150
    text = f"{filler}A clinic owner wrote that exosomes cure arthritis. {filler}Retinol smooths wrinkles, the shop said. {filler}"
    judgement = JUDGE.judge("1", text)
    assert [claim.type for claim in judgement.claims] == ["disease_treatment"]
    holds(text, judgement)


PIECES = [
    "exosomes ",
    "Exosomen ",
    "엑소좀 ",
    "エクソソーム",
    "الإكسوسوم ",
    "FDA ",
    "approved ",
    "not ",
    "cure ",
    "arthritis",
    "300% ",
    "collagen ",
    "no side effects",
    "?",
    ". ",
    "! ",
    '"',
    "'",
    "#",
    ", ",
    " - ",
    "\n",
    "👩🏽‍⚕️",
    "\u200b",
    "\u0301",
    "says ",
    "my derm ",
    "20 billion ",
    "ﷺ",
    "e x o ",
]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_judged_without_a_crash_and_always_the_same(text: str) -> None:
    judgement = JUDGE.judge("1", "exosomes " + text)
    holds("exosomes " + text, judgement)
    assert JUDGE.judge("1", "exosomes " + text) == judgement


HOSTILE = {
    "one word": "exosomes",
    "spaces": "exosomes cure   ",
    "negations": "exosomes not no never cure arthritis ",
    "no sentence end": "exosomes cure arthritis and botox is better than collagen 300% ",
    "quotes": '"exosomes" ',
    "hashtags": "#exosomesFDAapprovedcollagen",
    "full stops": "exosomes.",
    "questions": "are exosomes fda approved? ",
    "spaced letters": "e x o s o m e s ",
    "marks": "exosome\u0301\u0301\u0301",
    "zero width": "exo\u200bsomes",
    "Korean": "엑소좀은FDA승인",
    "Arabic": "الإكسوسوم يعالج ",
    "emoji": "exosomes👩🏽‍⚕️",
    "digits": "exosomes 1,000,000,000 billion ",
    "leet": "3x0s0m3s ",
    "brackets": "exosomes ((((",
    "newlines": "exosomes\n\n",
}


def judged_in_time(judge: Judge, unit: str) -> None:
    """Judges as much of it as is read of one text."""
    text = (unit * (MAX_TEXT // len(unit) + 1))[:MAX_TEXT]
    started = time.process_time()
    judgement = judge.judge("1", text)
    took = time.process_time() - started
    holds(text, judgement)
    assert took < 15, f"{took:.2f} s: this does not grow with the length alone"


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_of_any_length_do_not_run_away(unit: str) -> None:
    judged_in_time(RULES, unit)


@pytest.mark.parametrize("name", ["no sentence end", "Arabic", "spaced letters", "emoji"])
def test_nor_does_the_model_which_looks_at_so_many_windows_whatever_they_hold(name: str) -> None:
    judged_in_time(JUDGE, HOSTILE[name])


def test_a_text_full_of_claims_costs_no_more_than_so_many_looks() -> None:
    unit = "Exosomen heilen Arthrose. Exosomes cure arthritis. Exosomes regrow hair. The exosomes are not FDA approved. "
    judgement = JUDGE.judge("1", unit * (MAX_TEXT // len(unit)))
    assert 20 < len(judgement.claims) <= 2 * MAX_FINDS


def test_sums_are_done_by_one_thread() -> None:
    """More would wait for each other in loops: on a busy machine a post then costs three times as much."""
    code = "import workers.classify, numpy as n, os; a = n.ones((900, 900)); a @ a; print(len(os.listdir('/proc/self/task')))"

    def threads(**more: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"} | more
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout

    assert threads() == threads(OPENBLAS_NUM_THREADS="1")


def test_what_lies_beyond_the_longest_text_is_not_read() -> None:
    text = "x " * (MAX_TEXT // 2) + "exosomes cure arthritis"
    assert JUDGE.judge("1", text).relevant is False


def test_lone_surrogates_and_empty_texts_are_judged() -> None:
    for text in ("", " ", "\ud800 exosomes cure arthritis \udfff", "exosomes"):
        holds(text, JUDGE.judge("1", text))


def test_the_platforms_word_for_the_language_is_taken() -> None:
    assert JUDGE.judge("1", "Exosomes", "pt-BR").language == "pt"
    assert JUDGE.judge("1", "Die Exosomen sind nicht zugelassen").language == "de"


def test_versions_are_named() -> None:
    judgement = JUDGE.judge("1", "exosomes")
    assert "+rules-" in judgement.classifier, "model, rules and lexicon each have a version"
    assert len(judgement.register) == 12
