"""The language of a post: eleven are told apart, short posts too."""

from __future__ import annotations

import pytest

from workers.classify.language import guess_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("20 billion vesicles per vial", "en"),
        ("100% natural, no side effects", "en"),
        ("n o   d o w n t i m e, says the clinic", "en"),
        ("v e s i c l e s for the hair", "en"),
        ("Sin efectos secundarios", "es"),
        ("Sem efeitos secundários, e o cabelo volta", "pt"),
        ("Sans effets secondaires", "fr"),
        ("Ohne Nebenwirkungen, ganz natürlich und sicher", "de"),
        ("Senza effetti collaterali", "it"),
        ("Hiçbir yan etkisi yok", "tr"),
        ("Bez skutków ubocznych", "pl"),
        ("부작용이 없어요", "ko"),
        ("副作用はありません", "ja"),
        ("بدون آثار جانبية", "ar"),
        ("300 %", None),
    ],
)
def test_a_language_is_guessed(text: str, language: str | None) -> None:
    assert guess_language(text) == language
