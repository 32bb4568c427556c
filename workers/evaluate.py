"""How well judgements agree with labelled posts. Pure.

The figures are those of the scorer that comes with the labelled posts, to the letter; a test holds the two together. Intervals
are by bootstrap: posts are drawn with replacement, and each figure is worked out anew. What a figure needs of a post is counted
once and packed into one whole number, so that a draw is a sum of such numbers. For `identity` that means: claims of one name are
looked for in all posts, and not in those drawn: a post drawn twice agrees with itself, and every draw would look better than the
whole.
"""

from __future__ import annotations

import random
import re
import statistics
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from monitor.words import CLAIM_TYPES, STANCES, ClaimType, Judgement, Occurrence, Stance, Verdict

DRAWS = 1_000
_BINS = 10  # of confidence
_RIGHT_OVERLAP = 0.5
_SCALE = 2**30  # of shares, so that they can be summed as whole numbers
_TOKEN = re.compile(r"\w+")


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One claim as a person labelled it."""

    quote: str
    type: ClaimType
    stance: Stance
    verdict: Verdict
    claim_key: str


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """One post as a person labelled it. What else a line holds is not looked at."""

    id: str
    text: str
    relevant: bool
    claims: tuple[Label, ...]
    alert: bool
    adverse_event: bool = False
    lang: str | None = None
    traits: tuple[str, ...] = ()


Pair = tuple[Labelled, Judgement]
Match = tuple[Label, Occurrence, float]  # of one type in one post, and the token F1 of their quotes


class Agreement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Precision, recall and F1, from 0 to 1, and how many there are by the labels: of a type or stance, or posts of a group."""

    number: int
    precision: float
    recall: float
    f1: float
    alert: Agreement | None = None  # of a group of posts, where the other figures are those of (post, type)


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """All figures, from 0 to 1. `intervals` hold 95 of 100 draws; `figures` lacks `calls` where nothing was found."""

    posts: int
    n_claims: int
    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    by_type: dict[str, Agreement]
    by_stance: dict[str, Agreement]
    by_language: dict[str, Agreement]
    by_trait: dict[str, Agreement]

    @property
    def per_type(self) -> dict[str, float]:
        """F1 over (post, type), by type."""
        return {kind: agreement.f1 for kind, agreement in self.by_type.items()}


def evaluate(pairs: Sequence[Pair], *, draws: int = DRAWS, seed: int = 1) -> Evaluation:
    """How well the judgements agree with the labels. The same pairs and seed give the same figures and intervals everywhere."""
    matched = [_pair_up(labelled.claims, judgement.claims) for labelled, judgement in pairs]
    shares = _identity_shares(matched)
    counts = [
        _counts(labelled, judgement, matches) | share
        for (labelled, judgement), matches, share in zip(pairs, matched, shares, strict=True)
    ]
    total = _sum(counts)
    figures = _figures(total)
    intervals = _intervals(counts, draws, seed)
    return Evaluation(
        posts=len(pairs),
        n_claims=int(total["claims gold"]),
        figures=figures,
        intervals={name: intervals[name] for name in figures if name in intervals},
        by_type={kind: _agreement(total, f"type {kind}") for kind in CLAIM_TYPES},
        by_stance={stance: _agreement(total, f"stance {stance}") for stance in STANCES},
        by_language=_by_group(pairs, counts, lambda post: [post.lang or "unknown"]),
        by_trait=_by_group(pairs, counts, lambda post: post.traits),
    )


def wrong_alerts(pairs: Sequence[Pair]) -> list[Pair]:
    """Those whose alert is not as labelled, in their order."""
    return [(labelled, judgement) for labelled, judgement in pairs if labelled.alert != judgement.alert]


def _counts(labelled: Labelled, judgement: Judgement, matched: Sequence[Match]) -> dict[str, float]:
    """All that the figures need to know of one post, as counts that may be summed over posts; those that are 0 are left out."""
    counts: defaultdict[str, float] = defaultdict(float)

    def note(name: str, gold: set[Any], predicted: set[Any]) -> None:
        counts[f"{name} tp"] += len(gold & predicted)
        counts[f"{name} fp"] += len(predicted - gold)
        counts[f"{name} fn"] += len(gold - predicted)

    for name in ("relevant", "alert", "adverse_event"):
        note(name, *({name} if getattr(one, name) else set() for one in (labelled, judgement)))
    note("detection", *({"claims"} if one.claims else set() for one in (labelled, judgement)))
    gold_types, types = ({claim.type for claim in one.claims} for one in (labelled, judgement))
    for kind in gold_types | types:
        note(f"type {kind}", gold_types & {kind}, types & {kind})
    gold_stances, stances = ({(claim.type, claim.stance) for claim in one.claims} for one in (labelled, judgement))
    for stance in STANCES:
        note(f"stance {stance}", *({one for one in some if one[1] == stance} for some in (gold_stances, stances)))
    note("verdict", *({(claim.type, claim.verdict) for claim in one.claims} for one in (labelled, judgement)))
    overlaps = [overlap for _, _, overlap in matched]
    counts["claims gold"], counts["claims predicted"] = len(labelled.claims), len(judgement.claims)
    counts["claims right"] = sum(overlap >= _RIGHT_OVERLAP for overlap in overlaps)
    counts["matched"], counts["overlap"] = len(overlaps), sum(overlaps)
    for claim in judgement.claims:
        at = min(_BINS - 1, int(claim.confidence * _BINS))
        counts[f"calls {at} sure"] += claim.confidence
        counts[f"calls {at} right"] += claim.type in gold_types
    return {name: number for name, number in counts.items() if number}


def _figures(total: Mapping[str, float]) -> dict[str, float]:
    """The figures of counts that were summed up, in the scorer's order."""
    types = [f"type {kind}" for kind in CLAIM_TYPES]
    predicted, gold, right = (total.get(f"claims {what}", 0) for what in ("predicted", "gold", "right"))
    matched = total.get("matched", 0)
    precision, recall, alert = _prf(total, ["alert"])
    figures = {
        "relevance": _prf(total, ["relevant"])[2],
        "detection": _prf(total, ["detection"])[2],
        "type_micro": _prf(total, types)[2],
        "type_macro": sum(_prf(total, [kind])[2] for kind in types) / len(types),
        "stance": _prf(total, [f"stance {stance}" for stance in STANCES])[2],
        "verdict": _prf(total, ["verdict"])[2],
        "claims": _f1(right, predicted - right, gold - right),
        "quote": total.get("overlap", 0) / matched if matched else 0.0,
        "identity": _harmonic(total.get("identity precision", 0), total.get("identity recall", 0)) / matched if matched else 0.0,
        "alert_precision": precision,
        "alert_recall": recall,
        "alert": alert,
        "adverse_event": _prf(total, ["adverse_event"])[2],
    }
    if predicted:
        off = sum(abs(total.get(f"calls {at} sure", 0) - total.get(f"calls {at} right", 0)) for at in range(_BINS))
        figures["calls"] = 1 - off / predicted
    return figures


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b)


def _f1(tp: float, fp: float, fn: float) -> float:
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0


def _prf(total: Mapping[str, float], names: Sequence[str]) -> tuple[float, float, float]:
    tp, fp, fn = (sum(total.get(f"{name} {what}", 0) for name in names) for what in ("tp", "fp", "fn"))
    return tp / (tp + fp) if tp + fp else 1.0, tp / (tp + fn) if tp + fn else 1.0, _f1(tp, fp, fn)


def _agreement(total: Mapping[str, float], name: str) -> Agreement:
    precision, recall, f1 = _prf(total, [name])
    number = total.get(f"{name} tp", 0) + total.get(f"{name} fn", 0)
    return Agreement(number=int(number), precision=precision, recall=recall, f1=f1)


def _by_group(
    pairs: Sequence[Pair], counts: Sequence[Mapping[str, float]], groups_of: Callable[[Labelled], Sequence[str]]
) -> dict[str, Agreement]:
    """Agreement over (post, type) and on alerts by group of posts, the largest group first."""
    groups: defaultdict[str, list[Mapping[str, float]]] = defaultdict(list)
    for (labelled, _), one in zip(pairs, counts, strict=True):
        for group in set(groups_of(labelled)):
            groups[group].append(one)
    found = {}
    for group, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        total = _sum(members)
        precision, recall, f1 = _prf(total, [f"type {kind}" for kind in CLAIM_TYPES])
        alert = _agreement(total, "alert")
        found[group] = Agreement(number=len(members), precision=precision, recall=recall, f1=f1, alert=alert)
    return found


def _sum(counts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: defaultdict[str, float] = defaultdict(float)
    for one in counts:
        for name, number in one.items():
            total[name] += number
    return total


def _pair_up(gold: Sequence[Label], found: Sequence[Occurrence]) -> list[Match]:
    """Claims of the same type in one post, each taken once, the best-overlapping quotes first."""
    quotes = [*(one.quote for one in gold), *(one.quote for one in found)]
    tokens = [Counter(_TOKEN.findall(quote.lower())) for quote in quotes]
    options = [
        (_overlap(tokens[g], tokens[len(gold) + p]), g, p)
        for g in range(len(gold))
        for p in range(len(found))
        if gold[g].type == found[p].type
    ]
    used_gold: set[int] = set()
    used_found: set[int] = set()
    pairs = []
    for overlap, g, p in sorted(options, reverse=True):
        if g not in used_gold and p not in used_found:
            used_gold.add(g)
            used_found.add(p)
            pairs.append((gold[g], found[p], overlap))
    return pairs


def _overlap(a: Counter[str], b: Counter[str]) -> float:
    """Token F1 of two quotes."""
    return 2 * (a & b).total() / (a.total() + b.total()) if a or b else 1.0


def _identity_shares(matched: Sequence[Sequence[Match]]) -> list[dict[str, float]]:
    """B-cubed precision and recall of each post's matched claims, summed up: how far those of one name are those of the other."""
    both = Counter((gold.claim_key, found.claim_id) for matches in matched for gold, found, _ in matches)
    by_gold: Counter[str] = Counter()
    by_found: Counter[str] = Counter()
    for (key, claim_id), number in both.items():
        by_gold[key] += number
        by_found[claim_id] += number
    shares = []
    for matches in matched:
        names = [(gold.claim_key, found.claim_id) for gold, found, _ in matches]
        precision = sum(both[pair] / by_found[pair[1]] for pair in names)
        shares.append({"identity precision": precision, "identity recall": sum(both[pair] / by_gold[pair[0]] for pair in names)})
    return shares


def _intervals(counts: Sequence[Mapping[str, float]], draws: int, seed: int) -> dict[str, tuple[float, float]]:
    names = sorted({name for one in counts for name in one})
    shares = {name for name in names if name == "overlap" or name.startswith("identity") or name.endswith(" sure")}
    size = struct.Struct(f"<{len(names)}Q")
    packed = [
        int.from_bytes(size.pack(*(round(one.get(name, 0) * (_SCALE if name in shares else 1)) for name in names)), "little")
        for one in counts
    ]
    drawing = random.Random(seed)
    drawn: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(draws):
        sums = size.unpack(sum(drawing.choices(packed, k=len(packed))).to_bytes(size.size, "little"))
        total = {name: number / _SCALE if name in shares else number for name, number in zip(names, sums, strict=True)}
        for name, figure in _figures(total).items():
            drawn[name].append(figure)
    return {name: _middle(values) for name, values in drawn.items()}


def _middle(values: Sequence[float]) -> tuple[float, float]:
    """Where the middle 95 in 100 of the values lie."""
    if len(values) < 2:
        return values[0], values[0]
    cuts = statistics.quantiles(values, n=40, method="inclusive")
    return cuts[0], cuts[-1]
