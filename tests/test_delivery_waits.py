"""When what was not taken is due again, what a receiver's own word does, and how many a rate lets out: to the millisecond."""

from __future__ import annotations

import pytest

from monitor.settings.endpoint import Endpoint
from monitor.settings.timing import GENTLY, Rate, parse_rate
from tests.receiver import SECRET
from workers.deliver import pace
from workers.deliver.schedule import WAITS, Answer, Outcome, outcome

NOW = 1_790_000_000_000


@pytest.mark.parametrize("tries", range(len(WAITS)))
@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_each_try_has_its_wait_and_its_own_chance(tries: int, factor: float) -> None:
    result = outcome(Answer(ms=1, status=500), tries, NOW, factor)
    assert result == Outcome(state="pending", next_ms=NOW + round(WAITS[tries] * factor), hold_ms=0)


@pytest.mark.parametrize(
    ("answer", "delivered"),
    [
        (Answer(ms=1, status=199), False),
        (Answer(ms=1, status=200), True),
        (Answer(ms=1, status=299), True),
        (Answer(ms=1, status=300), False),
        (Answer(ms=1), False),
        (Answer(ms=1, status=200, taken=False), False),
        (Answer(ms=1, status=500, taken=True), True),
        (Answer(ms=1, taken=True), True),
        (Answer(ms=1, taken=False), False),
    ],
)
def test_a_status_says_whether_it_arrived_unless_the_service_said_so_itself(answer: Answer, delivered: bool) -> None:
    assert answer.delivered is delivered
    assert (outcome(answer, 0, NOW, 1.0).state == "delivered") is delivered


@pytest.mark.parametrize(
    ("status", "header", "tries", "result"),
    [
        (429, "120", 0, Outcome(state="pending", next_ms=NOW + 120_000, hold_ms=NOW + 120_000)),
        (502, "1", 0, Outcome(state="pending", next_ms=NOW + 5_000, hold_ms=NOW + 1_000)),
        (503, "0.5", 0, Outcome(state="pending", next_ms=NOW + 5_000, hold_ms=NOW + 500)),
        (504, "6", 0, Outcome(state="pending", next_ms=NOW + 6_000, hold_ms=NOW + 6_000)),
        (429, "0", 0, Outcome(state="pending", next_ms=NOW + 5_000)),
        (429, None, 0, Outcome(state="pending", next_ms=NOW + 5_000)),
        (500, "120", 0, Outcome(state="pending", next_ms=NOW + 5_000)),
        (503, "60", 10, Outcome(state="dead", hold_ms=NOW + 60_000)),
        (503, None, 10, Outcome(state="dead")),
        (503, None, 11, Outcome(state="dead")),
        (410, "60", 0, Outcome(state="dead")),
        (200, "60", 0, Outcome(state="delivered")),
    ],
)
def test_a_receivers_word_holds_its_endpoint_also_after_the_last_try(
    status: int, header: str | None, tries: int, result: Outcome
) -> None:
    assert outcome(Answer(ms=1, status=status, retry_after=header), tries, NOW, 1.0) == result


def test_chats_are_sent_to_gently_unless_told_otherwise() -> None:
    hook = Endpoint(name="hook", kind="webhook", url="https://example.org", secret=[SECRET])
    chat = Endpoint(name="chat", kind="apprise", url="slack://a")
    own = parse_rate("5/s")
    assert pace.rate_of(hook) is None
    assert pace.rate_of(chat) == GENTLY == Rate(gap_ms=1_000.0, at_once=1)
    assert [pace.rate_of(one.model_copy(update={"rate": own})) for one in (hook, chat)] == [own, own]


@pytest.mark.parametrize(
    ("spent_until", "free"),
    [
        (0, 3),
        (NOW - 500, 3),
        (NOW, 3),
        (NOW + 1, 2),
        (NOW + 100, 2),
        (NOW + 200, 1),
        (NOW + 201, 0),
        (NOW + 300, 0),
        (NOW + 900, 0),
    ],
)
def test_of_three_at_once_those_are_free_that_time_has_given_back(spent_until: float, free: int) -> None:
    assert pace.allowed(Rate(gap_ms=100, at_once=3), spent_until, NOW) == free


@pytest.mark.parametrize(("gap_ms", "at_once"), [(100 / 3, 3), (1 / 3, 9)])
def test_gaps_that_are_no_whole_number_of_milliseconds_lose_nothing(gap_ms: float, at_once: int) -> None:
    rate = Rate(gap_ms=gap_ms, at_once=at_once)
    spent = 0.0
    for taken in range(at_once):
        assert pace.allowed(rate, spent, NOW) == at_once - taken
        spent = pace.spent(rate, spent, NOW, 1)
    assert pace.allowed(rate, spent, NOW) == 0


@pytest.mark.parametrize(
    ("before", "taken", "until"), [(0, 1, NOW + 100), (NOW - 50, 2, NOW + 200), (NOW, 3, NOW + 300), (NOW + 50, 2, NOW + 250)]
)
def test_what_is_taken_is_spent_from_now_on_or_after_what_was_spent_before(before: float, taken: int, until: float) -> None:
    assert pace.spent(Rate(gap_ms=100, at_once=3), before, NOW, taken) == until


@pytest.mark.parametrize(
    ("rate", "spent_until", "next_ms"),
    [
        (Rate(gap_ms=100, at_once=1), NOW + 100, NOW + 100),
        (Rate(gap_ms=100, at_once=3), NOW + 300, NOW + 100),
        (Rate(gap_ms=100, at_once=3), NOW + 250.2, NOW + 51),
    ],
)
def test_the_next_may_go_as_soon_as_one_is_free(rate: Rate, spent_until: float, next_ms: int) -> None:
    assert pace.next_ms(rate, spent_until) == next_ms
    assert pace.allowed(rate, spent_until, next_ms) == 1
    assert pace.allowed(rate, spent_until, next_ms - 1) == 0
