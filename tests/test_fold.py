"""Folding undoes disguises, keeps numbers, and leads back to the original's code points."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.topic import fold


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("EXOSOMES", "exosomes"),
        ("ex0s0mes", "exosomes"),
        ("3xosomes", "exosomes"),
        ("exosom3s", "exosomes"),
        ("еxоsоmеs", "exosomes"),  # Cyrillic е and о
        ("εxοsοmes", "exosomes"),  # Greek ε and ο
        ("сurеѕ саnсеr", "cures cancer"),
        ("ｅｘｏｓｏｍｅ", "exosome"),
        ("exo\u200dso\u200bmes", "exosomes"),
        ("exo\u00adsomes", "exosomes"),
        ("\u202eexosomes\u202c", "exosomes"),
        ("e̷x̷osomes", "exosomes"),
        ("e x o s o m e s", "exosomes"),
        ("e.x.o.s.o.m.e.s", "exosomes"),
        ("exo🧬somes", "exosomes"),
        ("exo*somes", "exosomes"),
        ("exosomés naïves", "exosomes naives"),
        ("EKSOZOM İLE SAÇ", "eksozom ile sac"),
        ("الإكسوسوم", "الاكسوسوم"),
        ("٣٠٠٪", "300٪"),
        ("F D A appr0ved", "fda approved"),
    ],
)
def test_disguises_are_undone(written: str, read: str) -> None:
    assert fold(written).text == read


@pytest.mark.parametrize(
    "text", ["300%", "5g", "20 billion", "20billion", "cd63", "b12", "covid19", "2nd", "10x", "3.5 mm", "co2 laser", "sb 1768"]
)
def test_numbers_stay(text: str) -> None:
    assert fold(text).text == text


def test_scripts_without_latin_letters_stay() -> None:
    for text in ("엑소좀 주사", "エクソソーム点滴", "экзосомы для кожи", "ガーゼ"):
        assert fold(text).text == text


def test_decomposed_korean_and_japanese_are_composed() -> None:
    assert fold("\u110b\u1166\u11a8소좀").text == "엑소좀"
    assert fold("カ\u3099ーセ\u3099").text == "ガーゼ"


def test_a_span_leads_back_to_the_original() -> None:
    text = "👩🏽‍⚕️ My dérm: еx\u200bоsоmеs cure 🧬 arthritis!"
    folded = fold(text)
    for word, original in (("exosomes", "еx\u200bоsоmеs"), ("arthritis", "arthritis"), ("derm", "dérm")):
        start = folded.text.index(word)
        first, last = folded.span(start, start + len(word))
        assert text[first:last] == original


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_every_span_lies_in_the_text_and_grows(text: str) -> None:
    folded = fold(text)
    spans = [folded.span(at, at + 1) for at in range(len(folded.text))]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)


@pytest.mark.parametrize("unit", ["é", "a ", "e.x.", "a0b ", "\u0301", "ﷺ", "a🧬", "aа", "@", "1 ", "#a", "\u200b", "엑\u11a8"])
def test_long_hostile_texts_are_quick(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    started = time.perf_counter()
    fold(text)
    assert time.perf_counter() - started < 15
