"""What is about exosomes and what is not, in eleven languages, and that the quick first step never misses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.topic import TopicError, fold
from monitor.topic.keywords import Keywords, load_keywords

PACK = Path(__file__).resolve().parents[1] / "config" / "topics" / "exosomes"


@pytest.fixture(scope="module")
def keywords() -> Keywords:
    return load_keywords(PACK / "keywords.yaml")


ABOUT = [
    "Exosomes for my scalp",
    "thinking about #exosometherapy",
    "Los exosomas me gustan",
    "terapia com exossomos",
    "une cure d'exosomes",
    "Exosomen-Therapie in Köln",
    "gli esosomi funzionano",
    "엑소좀 스킨부스터 후기",
    "엑소좀을 맞았어요",
    "エクソソーム点滴に行った",
    "eksozomlarla saç bakımı",
    "zabieg z egzosomami",
    "جلسة الإكسوسومات",
    "اكسوزوم للبشرة",
    "extracellular vesicles in trials",
    "pęcherzyki zewnątrzkomórkowe",
    "3xosomes, e x o s o m e s, ехоѕоmеѕ",
    "EVs isolated from plasma by SEC",
    "exos every four weeks for my scalp",
    "exsosomes for hair",
]
ELSEWHERE = [
    "EVs need better chargers on the motorway",
    "our whole exome report came back",
    "the RNA exosome degrades transcripts",
    "EXOSC3 and the exosome complex",
    "EXO comeback stage tonight",
    "the exosuit lifts forty kilos",
    "liposome hand cream",
    "Shares in a listed exosome firm rose on Friday",
    "retinol again tonight",
    "",
]


@pytest.mark.parametrize("text", ABOUT)
def test_mentions_are_found(keywords: Keywords, text: str) -> None:
    assert keywords.find(text)


@pytest.mark.parametrize("text", ELSEWHERE)
def test_other_meanings_are_not(keywords: Keywords, text: str) -> None:
    assert keywords.find(text) == ()


def test_places_are_whole_words_of_the_text_as_it_was_written(keywords: Keywords) -> None:
    text = "Ünïcode: my ЕХОЅОМЕS, #exosometherapy and e\u0301xosomes 엑소좀을"
    found = {text[start:end] for _, start, end in keywords.where(text)}
    assert {"ЕХОЅОМЕS", "exosometherapy"} <= found
    assert keywords.where("nothing of it") == []
    assert keywords.where("the exosome complex degrades RNA") == []
    assert all(0 <= start < end <= 100_000 for _, start, end in keywords.where("exosomes" * 12_000))


def test_the_keyword_is_named(keywords: Keywords) -> None:
    assert keywords.find("exosome facial")[0] == "exosome"


PIECES = [
    "exosome",
    "ex0s0me",
    "еxоsоmе",
    "e.x.o.s.o.m.e",
    "EXO",
    "экзосомы",
    "엑소좀",
    "エクソソーム",
    "الإكسوزوم",
    "ﬁ™",
    "\u200b",
    "\u0640",
    "\u02bc",
    "̷",
    " ",
    "🧬",
    "#",
    "s",
]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=12).map("".join)


@given(TEXTS)
@settings(max_examples=600, deadline=None)
def test_the_first_step_never_misses(text: str) -> None:
    keywords = load_once()
    if keywords.find_folded(fold(text)):
        assert keywords.may_match(text)
    assert keywords.find(text) == keywords.find_folded(fold(text))


_LOADED: list[Keywords] = []


def load_once() -> Keywords:
    if not _LOADED:
        _LOADED.append(load_keywords(PACK / "keywords.yaml"))
    return _LOADED[0]


def test_bytes_are_searched_too(keywords: Keywords) -> None:
    assert keywords.may_match("엑소좀".encode())
    assert not keywords.may_match(b"a quiet day at the sea")


def test_the_labelled_posts_are_told_apart(keywords: Keywords, shared: Path) -> None:
    posts = [json.loads(line) for line in (shared / "data" / "dev.jsonl").read_text(encoding="utf-8").splitlines()]
    wrong = [post["id"] for post in posts if bool(keywords.find(post["text"])) != post["relevant"]]
    assert len(wrong) <= len(posts) * 0.04


def test_a_wrong_wording_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "keywords.yaml"
    file.write_text("keywords:\n  - name: x\n    written: ['(exo|some)']\n", encoding="utf-8")
    with pytest.raises(TopicError, match=r"keywords\.yaml, keyword 1.*is not a wording"):
        load_keywords(file)
