"""Numbers in posts: a claim that names one is alerted under it, so it must be the one that was written."""

from __future__ import annotations

import pytest

from monitor.topic import fold
from monitor.topic.lexicon import NumberKind
from workers.classify.numbers import read_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("collagen rises by 300%", "300"),
        ("collagen rises by 300 %", "300"),
        ("by three hundred percent", "300"),
        ("by a hundred per cent", "100"),
        ("by two hundred and fifty percent", "250"),
        ("by fifty percent", "50"),
        ("in twenty-five percent of cases", "25"),
        ("by 1,250%", "1250"),
        ("by 1.250%", "1250"),
        ("by 12,5 %", "12.5"),
        ("by 2.5%", "2.5"),
        ("by 1,200,000 percent", "1200000"),
        ("de trois cents pour cent", "300"),
        ("de deux cent cinquante pour cent", "250"),
        ("en un trescientos por ciento", "300"),
        ("um dreihundert Prozent", "300"),
        ("um fünfzig Prozent", "50"),
        ("trezentos por cento", "300"),
        ("del trecento per cento", "300"),
        ("o trzysta procent", "300"),
        ("yüzde üç yüz", "300"),
        ("yüzde 300", "300"),
        ("triples collagen", "300"),
        ("doubles it", "100"),
        ("three times more", "300"),
        ("one percent inspiration", "1"),
        ("a percent sign", None),
        ("what percent is that", None),
        ("per cent", None),
    ],
)
def test_percentages(text: str, number: str | None) -> None:
    assert read_number("percent", fold(text).text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("20 billion exosomes", "20-billion"),
        ("2.5 billion", "2.5-billion"),
        ("1,250 million", "1.25-billion"),
        ("twenty billion of them", "20-billion"),
        ("five hundred million", "500-million"),
        ("tens of billions", None),
        ("5 x 10^9 particles", "5-billion"),
        ("10,000,000,000 exosomes", "10-billion"),
        ("100억 개", "10-billion"),
        ("25 mil millones de exosomas", "25-billion"),
        ("dos mil millones", "2-billion"),
        ("2,5 mil milhões", "2.5-billion"),
        ("25 millones", "25-million"),
    ],
)
def test_counts(text: str, number: str | None) -> None:
    assert read_number("count", fold(text).text) == number


@pytest.mark.parametrize(
    ("kind", "text", "number"),
    [
        ("share", "94% of our clients", "94"),
        ("share", "nine out of ten patients", "90"),
        ("share", "9 in 10 men", "90"),
        ("share", "bei 9 von 10 Männern", "90"),
        ("share", "u 9 na 10 klientek", "90"),
        ("share", "10명 중 9명", "90"),
        ("share", "医師の9割が推奨", "90"),
        ("share", "eleven out of ten", None),
        ("factor", "10x stronger", "10"),
        ("factor", "up to 1,000 times the growth factors", "1000"),
        ("factor", "cinco veces más", "5"),
        ("factor", "tenfold", "10"),
        ("factor", "up by 40%", None),
        ("number", "more than 1,200 growth factors", "1200"),
        ("number", "1.200 fatores de crescimento", "1200"),
        ("number", "5 ml with growth factors", None),
        ("duration", "lasts eighteen months", "18-months"),
        ("duration", "hält zwei Jahre", "2-years"),
        ("duration", "이 효과는 1년 갑니다", "1-year"),
        ("duration", "24か月", "2-years"),
        ("duration", "seen after 3 weeks, lasts 2 years", "2-years"),
        ("duration", "since 2019 years ago", None),
        ("years", "looks 10 years younger after 3 weeks", "10"),
        ("years", "血管年齢マイナス20歳", "20"),
        ("percent", "100% natural and it works", None),
        ("percent", "20% off today", None),
        ("percent", "20% off, wrinkles down 40%", "40"),
    ],
)
def test_other_kinds(kind: NumberKind, text: str, number: str | None) -> None:
    assert read_number(kind, fold(text).text) == number
