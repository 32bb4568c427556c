"""What the writer does with a proposition: asserts, denies, asks or reports it, and whether they vouch for what they report."""

from __future__ import annotations

import msgspec

from monitor.words import Stance
from workers.classify.match import Hit, View

_SCOPE = 12  # words that a negation reaches forwards
_SHORT = 7  # words of an answer such as "Nope, they are not."
_OPENING = 3  # words in which a question word opens a sentence


class Reading(msgspec.Struct, frozen=True):
    """The stance, distance, and the cue that decided it (for `why`)."""

    stance: Stance
    distance: bool
    cue: str


class Surroundings(msgspec.Struct, frozen=True):
    """The sentence of a hit with its neighbours, and what stands anywhere in the post."""

    view: View
    before: View | None
    after: View | None
    post_doubt: bool
    post_seller: bool


def read_stance(hit: Hit, place: Surroundings) -> Reading:
    """The stance of the post towards the proposition of the hit."""
    view = place.view
    asked = _asks(hit, place)
    denied = _denied(hit, place)
    if denied and not (asked and denied in ("not", "false")):
        return Reading("denies", False, denied)
    if asked:
        return Reading("asks", False, asked)
    told = _reported(hit, place)
    if told:
        return Reading("reports", _distant(hit, place), told)
    return Reading("asserts", False, "plain" if not view.sentence.hashtag else "hashtag")


def _asks(hit: Hit, place: Surroundings) -> str:
    """`ask` or `whether` where the sentence puts the proposition as a question and does not answer it itself."""
    view = place.view
    if view.sentence.hashtag:
        return ""
    answered = place.after is not None and any(start == 0 for start, _ in place.after.cues.get("yes", ()))
    if any(start <= hit.first + 1 for start, _ in view.cues.get("whether", ())):
        return "whether"
    opened = any(start < _OPENING for start, _ in view.cues.get("ask", ()))
    if view.sentence.question:
        return "" if answered and len(view.sentence.words) <= 12 else "ask"
    # "are exosomes fda approved" without its mark: the question word opens the sentence and stands before the claim.
    first = min((start for start, _ in view.cues.get("ask", ())), default=99)
    return "ask" if opened and first == 0 and hit.first > 0 and _verb_first(view) else ""


_VERBS_FIRST = frozenset(
    "is are was were do does did has have had can could will would should may might est sind ist czy hat kann haben".split()
)


def _verb_first(view: View) -> bool:
    return view.sentence.words[0].text in _VERBS_FIRST


def _denied(hit: Hit, place: Surroundings) -> str:
    """The name of the cue that denies the hit, or ''. Two plain negations cancel each other."""
    view = place.view
    words = view.sentence.words
    used = {at for start, end in hit.spans for at in range(start, end)}
    clauses = {words[at].clause for at in used}
    for cue in ("mock", "unproven"):
        for start, end in view.cues.get(cue, ()):
            if not used.intersection(range(start, end)):
                return cue
    count = 0
    counted: set[int] = set()
    for start, end in view.cues.get("not", ()):
        reach = range(start, end)
        if used.intersection(reach) or counted.intersection(reach):
            continue
        if (
            words[start].clause in clauses
            and start <= hit.last + 3
            and hit.first - start <= _SCOPE
            and not _not_only(view, start)
        ):
            count += 1
            counted.update(reach)
    if count % 2:
        return "not"
    after = place.after
    if after is not None and len(after.sentence.words) <= _SHORT and not after.sentence.question and count == 0:
        if any(start == 0 for start, _ in after.cues.get("false", ())):
            return "false"
    if after is not None and len(after.sentence.words) <= _SHORT + 5 and any(s <= 2 for s, _ in after.cues.get("unproven", ())):
        return "unproven"
    before = place.before
    if before is not None and len(before.sentence.words) <= _SHORT and before.has("unproven"):
        return "unproven"
    return ""


def _not_only(view: View, at: int) -> bool:
    """`not only`, `no needles`, `no wonder`: negations that leave the statement standing."""
    following = [word.text for word in view.sentence.words[at + 1 : at + 3]]
    return bool(following) and (
        following[0]
        in ("only", "just", "wonder", "doubt", "needles", "needle", "more", "surgery", "joke", "lie", "cap", "kidding")
        or following == ["t", "only"]
    )


def _reported(hit: Hit, place: Surroundings) -> str:
    """`says` or `alleges` where someone other than the writer puts the proposition, or ''."""
    view = place.view
    if view.sentence.hashtag:
        return ""
    before = [start for start, _ in view.cues.get("says", ()) if start <= hit.last]
    if any(start <= hit.first + 1 for start, _ in view.cues.get("alleges", ())):
        return "alleges"
    if before and (view.has("source") or min(before) < hit.first) and not _own_advice(view, min(before)):
        return "says"
    trailing = [start for start, _ in view.cues.get("says", ()) if start > hit.last]
    return "says" if trailing and view.has("source") else ""


def _own_advice(view: View, at: int) -> bool:
    """`I say`, `we promise`: one's own word is an assertion."""
    words = view.sentence.words
    return at > 0 and words[at - 1].text in ("i", "we", "ill", "id", "ich", "wir")


def _distant(hit: Hit, place: Surroundings) -> bool:
    view = place.view
    if view.has("alleges") or view.has("doubt"):
        return True
    if any(start > hit.last for start, _ in view.cues.get("not", ())):
        return True
    return place.post_doubt
