"""Of several propositions found in one sentence, keeps those that the words really carry."""

from __future__ import annotations

from workers.classify.match import Hit, View

_EFFICACY = ("skin_efficacy", "hair_efficacy", "disease_treatment")


def choose(hits: list[Hit], view: View) -> list[Hit]:
    """The hits that stand: a proposition that another is `over` gives way to it, and the same words carry one claim of a type.

    Where a sentence tells of harm, words of disease in it are the harm and not a cure.
    """
    words = {id(hit): _words(hit, view) for hit in hits}
    named = {
        id(hit): {name for other in hits if words[id(other)] & words[id(hit)] for name in other.proposition.over} for hit in hits
    }
    harm = any(hit.proposition.harm for hit in hits)
    standing = [
        hit for hit in hits if not _gives_way(hit, hits, named[id(hit)]) and not (harm and hit.proposition.type in _EFFICACY)
    ]
    standing.sort(key=lambda hit: (-hit.weight, hit.first, hit.proposition.key))
    kept: list[Hit] = []
    for hit in standing:
        if not any(_same_words(hit, other, view) for other in kept):
            kept.append(hit)
    return kept


def _gives_way(hit: Hit, hits: list[Hit], named: set[str]) -> bool:
    proposition = hit.proposition
    if proposition.key in named or (proposition.yields and hit.denial and len(hits) > 1):
        return True
    return f"any-{proposition.type}" in named and f"any-{proposition.type}" not in proposition.over


def _same_words(hit: Hit, other: Hit, view: View) -> bool:
    """Whether two finds of one type rest on the same words, topic words apart."""
    if hit.proposition.type != other.proposition.type:
        return False
    mine = _words(hit, view)
    return not mine or mine <= _words(other, view)


def _words(hit: Hit, view: View) -> set[int]:
    """The places of the words that a find rests on, topic words apart."""
    topic = {at for start, end in view.cues.get("topic", ()) for at in range(start, end)}
    return {at for start, end in hit.spans for at in range(start, end)} - topic
