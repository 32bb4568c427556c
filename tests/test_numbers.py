"""Numbers in posts: a claim that names one is alerted under it, so it must be the one that was written."""

from __future__ import annotations

import pytest

from monitor.topic import fold
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
