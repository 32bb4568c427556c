"""Guesses a text's language among the eleven that the lexicon speaks: by script first, then by small words."""

from __future__ import annotations

import re
from collections import Counter

_SMALL_WORDS = {
    "en": "the and is are of to in for with my you it that this was not on have they i do does be from at your no per our "
    "all more than what how by or an we us can will as if so just up out about these those she he her his who when "
    "there been has had but after before only even me any it's i'm don't can't that's its which into",
    "es": "el la los las del que una un por con para mi se es lo le no al y como pero su más esta muy me tiene después "
    "alguien de en sin son está este eso ya o te nos fue hay sus cuando también ni",
    "pt": "o a os as do da dos das que uma um com para não meu minha é em no na por mas você isso foi são ele tem mais pra "
    "já de ao sem seu sua eu se ou está essa este nem muito pelo pela até depois",
    "fr": "le la les des du que une un pour avec dans est pas je et mon ma sur qui ce au ne vous nous j'ai c'est sont mes "
    "chez de en sans plus son sa ses ont il elle ou par aux cette d'un d'une l'on n'est mais après",
    "de": "der die das und ist nicht mit ein eine von für ich auf den im es zu dem sind war hat nach bei wie aber mein "
    "unsere oder keine kein als auch wir sie er wird werden haben aus zur zum nur noch mir des einen einer um so man "
    "durch ohne gegen",
    "it": "il la gli della che una un per con non mi di sono è ho del nel alla più dopo come ma anche questo le si dei chi "
    "i lo da al senza ci ha hanno delle dalla sulla nella o e se sul su mio mia loro",
    "tr": "bir ve bu için ile çok var mı mi da de ne ama gibi olan daha sonra benim yok saç diye oldu hiçbir yoktur yan "
    "değil değildir sizi biz en kadar her o mu mü bana ben şey ya hem",
    "pl": "nie na się jest to do z w i że po jak o dla czy mi już ale tak od za są przed ja u moja a co przez bez ma mam "
    "nas być tego ten ta te jego bo więc lub oraz bardzo tylko tym",
}
_SETS = {language: frozenset(words.split()) for language, words in _SMALL_WORDS.items()}
_SHARED = Counter(word for words in _SETS.values() for word in words)  # what several say speaks for each of them the less
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_MARKS = {"es": "ñ¿¡", "pt": "ãõ", "de": "ßä", "tr": "ışğ", "pl": "łąęśżźćń", "fr": "œêèû", "it": "ùò"}
_SPELT = re.compile(r"\b(?:\w[ .*_-]){3,}\w\b")  # e x o s o m e s: letters that are no words
_SCRIPTS = (("ko", "\uac00", "\ud7af"), ("ja", "\u3040", "\u30ff"), ("ar", "\u0600", "\u06ff"))
_READ = 2_000  # characters; more would not change the guess


LANGUAGES = frozenset((*_SMALL_WORDS, "ko", "ja", "ar"))


def guess_language(text: str) -> str | None:
    """A two-letter code, or None where nothing speaks for any of the eleven."""
    scores = _scores(text)
    best = max(scores, key=lambda language: scores[language], default=None)
    if best is not None and scores[best] > 0:
        return best
    return "en" if text.isascii() and any(char.isalpha() for char in text) else None


def likely_languages(text: str) -> frozenset[str]:
    """The languages whose words may be read in a text: the best guess and near ones, or all where nothing speaks for any."""
    scores = _scores(text)
    best = max(scores.values(), default=0)
    return frozenset(code for code, score in scores.items() if score >= best * 0.6) if best > 0 else LANGUAGES


def _scores(text: str) -> dict[str, float]:
    head = text[:_READ]
    letters = sum(char.isalpha() for char in head)
    scripts = {code: sum(first <= char <= last for char in head) for code, first, last in _SCRIPTS} if not head.isascii() else {}
    found = {code: float(count) for code, count in scripts.items() if count * 4 > letters}
    if found or not letters:
        return found
    folded = head.casefold().replace("’", "'")
    words = [word for word in _WORD.findall(_SPELT.sub(" ", folded)) if word in _SHARED]
    scores = {language: sum(1 / _SHARED[word] for word in words if word in small) for language, small in _SETS.items()}
    for language, marks in _MARKS.items() if not head.isascii() else ():
        scores[language] += 0.5 * sum(char in marks for char in folded)
    return scores
