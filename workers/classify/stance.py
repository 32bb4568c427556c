"""What the writer does with a proposition: asserts, denies, asks or reports it, and whether they vouch for what they report."""

from __future__ import annotations

import re

import msgspec

from monitor.words import Stance
from workers.classify.match import Hit, View

_SCOPE = 14  # words that a negation reaches forwards
_SHORT_ANSWER = 4  # words of "Nope, they are not."
_SHORT = 10  # words of a neighbouring sentence that can still be about this one
_VERBS_FIRST = frozenset(
    [
        "is",
        "are",
        "was",
        "were",
        "do",
        "does",
        "did",
        "has",
        "have",
        "will",
        "should",
        "ist",
        "sind",
        "hat",
        "haben",
        "wirken",
        "helfen",
        "kann",
        "konnen",
        "czy",
        "hal",
    ]
)
_MODALS = frozenset(["can", "could", "would", "should", "may", "might", "will"])
_AND = frozenset(["and", "y", "e", "et", "und", "i", "ve", "oraz"])
_NOUN_NEGATIONS = frozenset(
    ["no", "zero", "none", "nil", "nobody", "ne", "n", "sin", "sem", "ohne", "kein", "keine", "sans", "aucun", "senza", "bez"]
)
_FILLERS = frozenset(["wait", "so", "ok", "and", "but", "hey", "sorry", "guys", "question", "also", "honest"])
_SUBJECTS = frozenset(
    [
        "i",
        "we",
        "you",
        "u",
        "they",
        "it",
        "these",
        "this",
        "a",
        "an",
        "the",
        "my",
        "your",
        "any",
        "there",
        "plant",
        "rose",
        "people",
        "anyone",
        "human",
    ]
)


_LEFT_STANDING = frozenset(
    re.findall(
        r"\w+",
        "aghi agujas agulhas aiguilles appointment blood brainer bs but cap comparison control controls doubt drugs else "
        "even exception exceptions excuse excuses filler filter idea igiel joke judgement judgment just kidding knife lie "
        "longer matter mentions more nadeln needle needles notes only pain pills placebo questions regrets scalpel secret "
        "shame sniffles surgery talks tells wants wonder ",
    )
)


class StanceReading(msgspec.Struct, frozen=True):
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


def read_stance(hit: Hit, place: Surroundings) -> StanceReading:
    """The stance of the post towards the proposition of the hit."""
    denied = _denied(hit, place)
    asked = _asked(hit, place)
    if denied and not (asked == "ask" and denied in ("not", "banned")):
        return StanceReading("denies", False, denied)
    if asked:
        return StanceReading("asks", False, asked)
    if _asked_after(place):
        return StanceReading("asks", False, "whether")
    told = _reported(hit, place)
    if told:
        return StanceReading("reports", told == "alleges" or _distant(place), told)
    return StanceReading("asserts", False, "hashtag" if place.view.sentence.hashtag else "plain")


def _asked(hit: Hit, place: Surroundings) -> str:
    """`ask` or `whether` where the sentence puts the proposition as a question and nothing answers it."""
    view = place.view
    if view.sentence.hashtag:
        return ""
    if any(start <= hit.first + 1 or start > hit.last for start, _ in view.cues.get("whether", ())):
        return "whether"
    if view.sentence.question:
        return "" if _no_real_question(hit, place) else "ask"
    return "ask" if view.has("ask") and hit.last > 0 and _verb_first(view) else ""


def _no_real_question(hit: Hit, place: Surroundings) -> bool:
    """Question marks that ask nothing about the hit: answered at once, an advert's lead-in, or a question in another clause."""
    words = place.view.sentence.words
    opens = [start for start, _ in place.view.cues.get("ask", ())]
    answered = place.after is not None and any(start == 0 for start, _ in place.after.cues.get("yes", ()))
    needless = words[0].text == "who" and len(words) > 1 and words[1].text in ("needs", "need")
    lead_in = not opens and len(words) <= 6 and (place.post_seller or words[-1].text == "who")  # "Glass skin by the weekend?"
    clause = words[hit.last].clause
    later = [start for start in opens if words[start].clause > clause]
    earlier = [start for start in opens if words[start].clause <= clause]
    # "hives since yesterday, has this happened to anyone?" tells of the hives
    told = hit.proposition.harm and (bool(later) or "anyone" in (words[0].text, words[-1].text))
    return answered or needless or lead_in or told or (bool(later) and not earlier)


def _asked_after(place: Surroundings) -> bool:
    """ "… Is that true?": a short question on the sentence before it."""
    after = place.after
    if after is None or not after.sentence.question or len(after.sentence.words) > 8 or len(after.sentence.words) < 3:
        return False
    first, second = (word.text for word in after.sentence.words[:2])
    return first in ("is", "are", "does", "true", "really") and second in ("that", "this", "it", "or", "they")


def _verb_first(view: View) -> bool:
    """Whether a sentence without its mark is put as a question: "are these …", "can they …", but not "may help …"."""
    words = [word.text for word in view.sentence.words[:4]]
    at = 0
    while at < 2 and len(words) > 1 and words[0] in _FILLERS:
        words = words[1:]
        at += 1
    if len(words) < 2 or words[1] in ("t", "not", "only", "been", "to", "had", "help", "be"):
        return False
    topic_next = any(start == at + 1 for start, _ in view.cues.get("topic", ()))
    return words[0] in (*_VERBS_FIRST, *_MODALS) and (topic_next or words[1] in _SUBJECTS)


def _denied(hit: Hit, place: Surroundings) -> str:
    """The name of the cue that denies the hit, or ''."""
    view = place.view
    words = view.sentence.words
    used = {at for start, end in hit.spans for at in range(start, end)}
    clauses = {words[at].clause for at in used}
    if any(not used.intersection(range(*span)) for span in view.cues.get("mock", ())):
        return "mock"
    if any(not hit.proposition.negative or not used.intersection(range(*span)) for span in view.cues.get("unproven", ())):
        return "unproven"
    negations = _negations(hit, view, used, range(min(clauses), max(clauses) + 1))
    if hit.denial:
        return "" if any(_is_plain_no(view, at, used) for at in negations) else "banned"
    if (len(negations) == 2 and _withdrawn(view, negations[0])) or (len(negations) == 1 and _admitted(view, negations[0])):
        return ""
    return "not" if negations else _denied_nearby(hit, place)


def _negations(hit: Hit, view: View, used: set[int], clauses: range) -> list[int]:
    """Where negations stand that reach the hit.

    A claim that is itself a negation ("no risk") or a report of harm is denied only by a negation just before it.
    """
    words = view.sentence.words
    strict = hit.proposition.negative or hit.proposition.harm
    found: list[int] = []
    for start, end in view.cues.get("not", ()):
        if any(start - at in (0, 1) for at in found) or _harmless(view, start, end):
            continue
        if strict:
            if start not in used and 0 < hit.first - start <= 5 and words[start].text not in _NOUN_NEGATIONS:
                found.append(start)
        elif (
            words[start].clause in clauses
            and start <= hit.last + 3
            and hit.first - start <= _SCOPE
            and not any(word.text in _AND for word in words[hit.last + 1 : start])  # "is approved and has no …"
        ):
            found.append(start)
    return found


def _is_plain_no(view: View, at: int, used: set[int]) -> bool:
    """`not`, `never`, `no`, and `aren't` just before it, which turn a ban round; others may be of something else."""
    word = view.sentence.words[at].text
    return word in ("not", "never", "no") or (at not in used and word in ("aren", "isn", "wasn", "weren") and at + 2 in used)


def _admitted(view: View, at: int) -> bool:
    """`nobody can deny that …`, `there is no denying …`: a denial that is denied."""
    return any(word.text in ("deny", "denying") for word in view.sentence.words[at + 1 : at + 4])


def _withdrawn(view: View, at: int) -> bool:
    """`can't say … didn't`, `not that … can't`: a negation that takes another back."""
    following = [word.text for word in view.sentence.words[at + 1 : at + 3]]
    return any(word in ("say", "deny", "that", "complain", "single", "one") for word in following)


def _harmless(view: View, at: int, end: int) -> bool:
    """Negations that leave the statement standing: `not only`, `no wonder`, `no needles`."""
    following = [word.text for word in view.sentence.words[end : end + 3]]
    plain = _LEFT_STANDING
    if not following:
        return False
    word = view.sentence.words[at].text
    if word in ("can", "couldn", "cant", "cannot") and any(
        w in ("believe", "wait", "stop", "recommend", "get") for w in following[:2]
    ):
        return True
    return following[0] in plain


def _denied_nearby(hit: Hit, place: Surroundings) -> str:
    """Whether the sentence after, or a short one before, says that the statement is false."""
    after = place.after
    if after is not None and not after.sentence.question:
        words = after.sentence.words
        echo = hit.proposition.negative and words[0].text in _NOUN_NEGATIONS  # "No risk. None."
        for start, end in () if echo else after.cues.get("false", ()):
            own_noun = end == 1 and len(words) > 1 and words[0].text in _NOUN_NEGATIONS  # "No needles." is no answer
            if start == 0 and not own_noun and (len(words) <= _SHORT_ANSWER or (end >= 2 and len(words) <= 6)):
                return "false"
        if len(words) <= _SHORT and any(start <= 2 for start, _ in after.cues.get("unproven", ())):
            return "unproven"
        if after.has("mock"):
            return "mock"
    before = place.before
    if before is not None and len(before.sentence.words) <= 4 and before.has("unproven"):
        return "unproven"
    return ""


def _reported(hit: Hit, place: Surroundings) -> str:
    """`says` or `alleges` where someone other than the writer puts the proposition, or ''."""
    view = place.view
    words = view.sentence.words
    if view.sentence.hashtag:
        return ""
    if any(start <= hit.last and not _own_word(view, start) for start, _ in view.cues.get("alleges", ())):
        return "alleges"
    quoted = _quoted(hit, view)
    if quoted and not place.post_seller:
        return "says" if any(words[start].start < quoted[0] for start, _ in view.cues.get("source", ())) else "alleges"
    sources = [start for start, _ in view.cues.get("source", ())]
    for start, end in view.cues.get("says", ()):
        if _own_word(view, start) or (words[start].text in ("say", "goes") and start == 0):
            continue
        told_before = start <= hit.first + 1 and any(start - 8 <= at < start or end <= at <= end + 3 for at in sources)
        told_after = start > hit.last and any(abs(at - start) <= 4 for at in sources)
        if (
            told_before
            or told_after
            or (start <= hit.first and words[start].text in ("according", "laut", "segun", "selon", "secondo"))
        ):
            return "says"
    before = place.before
    if before is None or not before.has("source"):
        return ""
    # "my aunt (a nurse!) says …" is cut at the mark; a quotation may follow its "she told me" as a sentence of its own
    cut_off = any(start == 0 for start, _ in view.cues.get("says", ()))
    return "says" if cut_off or (before.has("says") and _opens_quote(view)) else ""


def _quoted(hit: Hit, view: View) -> tuple[int, int] | None:
    """The quotation marks around the hit, where the sentence says more than what stands between them."""
    words = view.sentence.words
    start, end = words[hit.first].start, words[hit.last].end
    for low, high in view.sentence.quotes:
        if low <= start and end <= high and (words[0].start < low or words[-1].end > high):
            return low, high
    return None


def _opens_quote(view: View) -> bool:
    return any(low < view.sentence.start for low, _ in view.sentence.quotes)


def _own_word(view: View, at: int) -> bool:
    """`I say`, `we promise`, `I'd swear`: one's own word is an assertion."""
    words = view.sentence.words
    before = [word.text for word in words[max(0, at - 3) : at]]
    if not before:
        return False
    if before[-1] in ("i", "we", "ill", "id", "ich", "wir", "our", "my"):
        return True
    helpers = ("d", "m", "ll", "ve", "will", "can", "t", "not", "be")
    return before[-1] in helpers and any(word in ("i", "we", "nobody", "what") for word in before)


def _distant(place: Surroundings) -> bool:
    """Whether the writer shows, anywhere near, that they do not vouch for what they report."""
    return place.view.has("doubt") or place.post_doubt
