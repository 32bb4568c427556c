"""Which words of a sentence are the quote of a claim: the clauses that carry it, without who says so."""

from __future__ import annotations

from workers.classify.match import Hit, View

_LEAD = frozenset(
    [
        "and",
        "but",
        "so",
        "because",
        "or",
        "that",
        "well",
        "ok",
        "also",
        "then",
        "while",
        "y",
        "e",
        "et",
        "und",
        "i",
        "ve",
        "ama",
        "ale",
        "aber",
        "pero",
        "que",
        "dass",
        "che",
        "ze",
    ]
)
_WIDEST = 28  # words; of a longer run only what lies close to the match is quoted


def quote_span(text: str, hit: Hit, view: View) -> tuple[int, int]:
    """The quote as a half-open span of the folded text; it always covers the words that matched."""
    sentence = view.sentence
    if sentence.hashtag:
        return sentence.start, sentence.end
    words = sentence.words
    first, last = hit.first, hit.last
    clauses = {words[first].clause, words[last].clause}
    low = next(n for n, word in enumerate(words) if word.clause == min(clauses))
    high = max(n for n, word in enumerate(words) if word.clause == max(clauses))
    for start, end in view.cues.get("says", []):
        if low <= start and end <= first:
            low = end
    while low < first and words[low].text in _LEAD:
        low += 1
    if high - low >= _WIDEST:
        low, high = max(low, first - 6), min(high, last + 6)
    start, end = words[low].start, words[high].end
    if end < len(text) and text[end] == "%":
        end += 1
    if start > 0 and text[start - 1] in "#+":
        start -= 1
    return start, end
