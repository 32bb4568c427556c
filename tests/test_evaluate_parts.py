"""The parts of an evaluation: groups in their order, intervals that close in on a figure, quotes without a word."""

from __future__ import annotations

import msgspec
import pytest

from tests.test_evaluate import found, judgement, label, post, random_pairs
from workers.evaluate import Agreement, Pair, evaluate

RIGHT: Pair = (post(label("FDA approved", "a")), judgement(found("FDA approved", "x")))
MISSED: Pair = (post(label("FDA approved", "a")), judgement())


def test_a_thousand_draws_of_the_first_seed_unless_said_otherwise() -> None:
    pairs = random_pairs(12, seed=5)
    assert evaluate(pairs) == evaluate(pairs, draws=1_000, seed=1)
    assert evaluate(pairs) != evaluate(pairs, draws=1_000, seed=2)
    assert evaluate(pairs) != evaluate(pairs, draws=999, seed=1)


def test_where_all_posts_are_alike_each_interval_is_its_figure() -> None:
    """Also of what is a part of one: overlaps, confidences and shares of names."""
    gold = [label("are FDA approved", "a"), label("triple collagen", "a", type="skin_efficacy", verdict="unsupported")]
    said = [
        found("FDA approved", "x", confidence=0.73),
        found("they triple collagen", "y", type="skin_efficacy", confidence=0.28, verdict="unsupported"),
        found("nobody", "z", type="safety", confidence=0.41),
    ]
    evaluation = evaluate([(post(*gold), judgement(*said))] * 7, draws=50)
    assert evaluation.figures["quote"] == pytest.approx(0.8)
    assert evaluation.figures["identity"] == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert evaluation.figures["calls"] == pytest.approx(1 - (0.27 + 0.72 + 0.41) / 3)
    for name, figure in evaluation.figures.items():
        assert evaluation.intervals[name] == pytest.approx((figure, figure), abs=1e-6), name


def test_an_interval_leaves_out_one_draw_in_forty_at_either_end() -> None:
    """Of two draws, whose figures are whole or half, one fortieth of the way between them at either end; of one, nothing."""
    between = [evaluate([RIGHT, MISSED], draws=2, seed=seed).intervals["alert_recall"] for seed in range(12)]
    apart = [(low, high) for low, high in between if low != high]
    assert apart
    for low, high in apart:
        first, second = round(low * 2) / 2, round(high * 2) / 2
        assert (low, high) == pytest.approx((first + (second - first) / 40, second - (second - first) / 40), abs=1e-12)
    low, high = evaluate([RIGHT, MISSED], draws=1).intervals["alert_recall"]
    assert low == high


@pytest.mark.parametrize(("said", "overlap"), [("!?", 1.0), ("FDA", 0.0)], ids=["neither-has-a-word", "one-has-none"])
def test_quotes_without_a_word_agree_with_one_another_and_with_nothing_else(said: str, overlap: float) -> None:
    one = msgspec.structs.replace(found("FDA", "x"), quote=said)
    assert evaluate([(post(label("...", "a")), judgement(one))], draws=2).figures["quote"] == overlap


def test_groups_are_listed_by_size_and_then_by_name_and_a_post_counts_once_in_each() -> None:
    def group(lang: str | None, *traits: str) -> Pair:
        return (post(label("FDA approved", "a"), lang=lang, traits=traits), judgement(found("FDA approved", "x")))

    pairs = [group("de", "b", "b"), group("en", "a"), group("en", "c", "b"), group(None), group("cs")]
    evaluation = evaluate(pairs, draws=2)
    assert [(name, one.number) for name, one in evaluation.by_language.items()] == [
        ("en", 2),
        ("cs", 1),
        ("de", 1),
        ("unknown", 1),
    ]
    assert [(name, one.number) for name, one in evaluation.by_trait.items()] == [("b", 2), ("a", 1), ("c", 1)]


def test_a_groups_figures_are_over_types_and_its_alerts_apart() -> None:
    extra: Pair = (
        post(label("FDA approved", "a"), lang="de", alert=False),
        judgement(found("FDA approved", "x"), found("nobody", "z", type="safety")),
    )
    missed: Pair = (post(label("FDA approved", "a"), lang="de"), judgement())
    right: Pair = (post(label("FDA approved", "a"), lang="de"), judgement(found("FDA approved", "x")))
    german = evaluate([extra, missed, right, RIGHT], draws=2).by_language["de"]
    assert german == Agreement(
        number=3,
        precision=2 / 3,
        recall=2 / 3,
        f1=2 / 3,
        alert=Agreement(number=2, precision=1 / 2, recall=1 / 2, f1=1 / 2),
    )


def test_types_and_stances_count_what_is_labelled() -> None:
    pairs: list[Pair] = [
        (post(label("FDA approved", "a")), judgement(found("FDA approved", "x", stance="reports"))),
        MISSED,
        (post(), judgement(found("nobody", "z", type="safety"))),
        RIGHT,
    ]
    evaluation = evaluate(pairs, draws=2)
    assert evaluation.by_type["regulatory_status"] == Agreement(number=3, precision=1.0, recall=2 / 3, f1=0.8)
    assert evaluation.by_type["safety"] == Agreement(number=0, precision=0.0, recall=1.0, f1=0.0)
    assert evaluation.by_type["mechanism"] == Agreement(number=0, precision=1.0, recall=1.0, f1=1.0)
    assert evaluation.by_stance["asserts"] == Agreement(number=3, precision=1 / 2, recall=1 / 3, f1=2 / 5)
    assert evaluation.by_stance["reports"] == Agreement(number=0, precision=0.0, recall=1.0, f1=0.0)
