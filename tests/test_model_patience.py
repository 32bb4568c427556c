"""A reader of posts by a model: when it leaves the server alone and for how long, what it counts, and its name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from monitor import telemetry, tracing
from monitor.settings import Classifier, Telemetry
from monitor.store import Database
from monitor.words import Post
from tests.one_database import store_url
from tests.standins.chat_server import ChatServer, answer, claim, completion, error
from tests.standins.otlp_receiver import OtlpReceiver
from tests.standins.scripted import Reply
from tests.test_openai_reader import APPROVED, JUDGE, OTHER, TOPIC, fallbacks, from_zero, judged, knows_moon, later, reading
from workers import classify
from workers.openai.client import MAX_OUTPUT, Reason
from workers.openai.prompt import post_message, prompt_of
from workers.openai.purse import Purse
from workers.openai.reader import LONGEST_REST_S, REST_S
from workers.reader import Given, LocalReader, PostReader, Weighed
from workers.readers import opened_reader, version_of

__all__ = ["from_zero", "store_url"]

DROP = Reply(drop=True)
NOISE = completion("no JSON")


async def asked_again(server: ChatServer, reader: Any) -> bool:
    """Whether the next post goes to the server."""
    before = len(server.requests)
    await judged(reader, OTHER)
    return len(server.requests) > before


@pytest.mark.parametrize(
    ("replies", "goes_on"),
    [
        ([DROP, DROP], True),
        ([DROP, DROP, DROP], False),
        ([error(401), error(401), error(401)], False),
        ([error(429, Retry_After="9"), DROP], False),  # as soon as it wants to be left alone
        ([None, DROP, DROP], True),
        ([DROP, DROP, None, DROP, DROP], True),
        ([DROP, DROP, NOISE, DROP, DROP], True),
        ([NOISE, DROP, DROP], True),
        ([DROP, DROP, completion(None, refusal="no"), DROP, DROP], True),
        ([NOISE, NOISE, NOISE, NOISE], True),
    ],
)
async def test_three_failures_in_a_row_are_enough_and_an_answer_starts_anew(replies: list[Reply | None], goes_on: bool) -> None:
    async with ChatServer(knows_moon) as server, reading(server, concurrency=1) as reader:
        server.next(*replies)
        await judged(reader, *[OTHER] * len(replies))
        server.next()
        assert await asked_again(server, reader) is goes_on


@pytest.mark.parametrize(("reply", "reason"), [(error(500), "server_error"), (Reply(hang=True), "timeout")])
async def test_slow_failures_count_as_well(reply: Reply, reason: Reason) -> None:
    async with ChatServer(knows_moon) as server, reading(server, concurrency=3, timeout=1) as reader:
        server.next(*[reply] * 3)
        await judged(reader, *[OTHER] * 3)
        assert not await asked_again(server, reader)
    assert fallbacks() == {reason: 3, "resting": 1}


@pytest.mark.parametrize(
    ("replies", "rest_s"),
    [
        ([DROP] * 3, REST_S),
        ([error(429, Retry_After="60")], 60),
        ([DROP, DROP, error(429, Retry_After="60")], 60),
        ([DROP, DROP, error(429, Retry_After="9")], REST_S),
        ([error(429, Retry_After="80000")], LONGEST_REST_S),
    ],
)
async def test_it_is_left_alone_for_so_long_and_no_longer(
    replies: list[Reply], rest_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ChatServer(knows_moon) as server, reading(server, concurrency=1) as reader:
        server.next(*replies)
        await judged(reader, *[OTHER] * len(replies))
        later(monkeypatch, rest_s - 0.9)
        assert not await asked_again(server, reader)
        later(monkeypatch, rest_s)
        assert await asked_again(server, reader)


async def test_a_rest_that_was_asked_for_is_not_cut_short_by_another_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ChatServer(knows_moon) as server, reading(server, concurrency=2) as reader:
        server.hold()
        server.next(error(429, Retry_After="600"), *[DROP] * 3)
        judging = asyncio.create_task(judged(reader, OTHER, OTHER))
        await server.until_in_hand(2)
        server.release()
        await judging
        later(monkeypatch, 500)
        assert not await asked_again(server, reader)


async def test_while_it_rests_that_is_said_with_the_seconds_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ChatServer(knows_moon) as server, reading(server) as reader:
        server.next(error(429, Retry_After="600"))
        await judged(reader, OTHER)
        later(monkeypatch, 100)
        with capture_logs() as logs:
            await judged(reader, OTHER)
        where = server.origin.removeprefix("http://")
    (said,) = logs
    assert (said["reason"], said["posts"]) == ("resting", 1)
    assert said["error"] == f"{where} failed lately and is asked again in 500 s"


async def test_an_answer_of_no_use_is_said_with_the_reason() -> None:
    async with ChatServer() as server, reading(server) as reader:
        server.next(NOISE)
        with capture_logs() as logs:
            await judged(reader, OTHER)
        where = server.origin.removeprefix("http://")
    assert logs[0]["error"] == (f"the answer of the model at {where} is of no use: it is not JSON of the form that was asked for")


# The platform's word for the language goes with the text, whoever judges


@pytest.mark.parametrize(
    ("text", "replies", "by_model"), [(OTHER, [], True), (OTHER, [NOISE], False), ("It rains today.", [], False)]
)
async def test_a_post_is_judged_as_itself_by_whoever_judges_it(text: str, replies: list[Reply], by_model: bool) -> None:
    async with ChatServer(knows_moon) as server, reading(server) as reader:
        server.next(*replies)
        (outcome,) = await reader.weigh([Given("m_7", text, "fr-CA")])
    assert isinstance(outcome, Weighed)
    assert (outcome.judgement.id, outcome.judgement.language) == ("m_7", "fr")
    assert outcome.judgement.classifier == (reader.version if by_model else JUDGE.classifier.version)
    assert len(outcome.origins) == len(outcome.judgement.claims) == by_model
    if not by_model:
        assert (outcome.judgement, outcome.origins) == JUDGE.weigh("m_7", text, "fr-CA")


async def test_the_local_reader_judges_as_its_judge_does() -> None:
    given = Given("m_7", APPROVED, "fr")
    reader = LocalReader(JUDGE)
    assert await reader.weigh([given, given]) == [Weighed(*JUDGE.weigh("m_7", APPROVED, "fr"))] * 2
    assert reader.version == JUDGE.classifier.version


def counted() -> tuple[float, float, float]:
    """Mentions judged so far, how many of them were timed, and the seconds of all together."""
    names = ("exowatch_mentions_classified_total", "exowatch_classify_seconds_count", "exowatch_classify_seconds_sum")
    many, timed, seconds = (telemetry.registry.get_sample_value(name) or 0.0 for name in names)
    return many, timed, seconds


@pytest.mark.parametrize("local", [True, False])
async def test_every_post_is_counted_and_timed(local: bool) -> None:
    async with ChatServer(knows_moon) as server, reading(server) as by_model:
        reader: PostReader = LocalReader(JUDGE) if local else by_model
        before = counted()
        await reader.weigh([Given(str(number), OTHER) for number in range(3)])
        many, timed, seconds = (after - was for after, was in zip(counted(), before, strict=True))
    assert (many, timed) == (3, 3)
    assert 0 < seconds < 60


# The highest price


async def test_what_is_in_flight_counts_as_a_token_for_three_bytes_and_the_longest_answer(database: Database) -> None:
    prompt = prompt_of(TOPIC)
    texts = (OTHER, f"{OTHER} öö" * 20)
    async with ChatServer(knows_moon) as server:
        purse = Purse(database, server.settings(daily_cap=1e6))
        async with reading(server, purse, daily_cap=1e6, concurrency=1) as reader:
            server.next(DROP, DROP)  # nobody knows what these cost
            await judged(reader, *texts)
        spent = await purse.spent()
    sent = [len(prompt.system) + len(str(prompt.schema)) + len(post_message(text).encode()) for text in texts]
    assert spent == sum(size // 3 + MAX_OUTPUT for size in sent)


async def test_what_the_server_does_not_count_stays_at_the_highest_price(database: Database) -> None:
    body = '{"choices": [{"message": {"content": "{}"}}]}'
    async with ChatServer(knows_moon) as server:
        purse = Purse(database, server.settings(daily_cap=1e6))
        async with reading(server, purse, daily_cap=1e6) as reader:
            server.next(Reply(200, body, {"Content-Type": "application/json"}))
            await judged(reader, OTHER)
        assert await purse.spent() > MAX_OUTPUT


# Names and spans


def model(name: str) -> Classifier:
    return Classifier(kind="openai", base_url="http://model.example/v1", model=name)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("reader-1", "reader-1"),
        ("Org/Reader:1_b.Z", "Org/Reader:1_b.Z"),
        ("Reader~2(v3)@home", "Reader-2-v3--home"),
        ("r" * 100, "r" * 100),
        ("r" * 101, "r" * 100),
    ],
)
async def test_a_version_names_the_model_and_what_it_is_told(name: str, shown: str) -> None:
    assert version_of(model(name), TOPIC) == f"openai-{shown}+{prompt_of(TOPIC).mark}"
    async with opened_reader(model(name), TOPIC, JUDGE, None) as reader:
        assert reader.version == version_of(model(name), TOPIC)
        assert reader.batch == 4


async def test_the_local_version_is_the_classifiers(database: Database) -> None:
    assert version_of(Classifier(), TOPIC) == classify.version_of(TOPIC) == JUDGE.classifier.version
    async with opened_reader(Classifier(), TOPIC, JUDGE, database) as reader:
        assert reader.version == JUDGE.classifier.version


@asynccontextmanager
async def traced() -> AsyncIterator[OtlpReceiver]:
    """What was traced in the block is in the receiver after it."""
    async with OtlpReceiver() as otlp:
        spans = tracing.exporting(Telemetry(otlp=otlp.address), "worker")
        spans.__enter__()
        try:
            yield otlp
        finally:
            await asyncio.to_thread(spans.__exit__, None, None, None)


@pytest.mark.parametrize("local", [True, False])
async def test_the_spans_of_a_post_that_is_judged(local: bool) -> None:
    post = Post(platform="forum", id="1", text=OTHER)
    async with ChatServer(lambda _: answer(claim(OTHER[:20], "treats-gout"))) as server, reading(server) as by_model:
        reader: PostReader = LocalReader(JUDGE) if local else by_model
        async with traced() as otlp:
            mark = tracing.mark(post)
            await reader.weigh([Given("m_1", OTHER, mark=mark)])
    assert mark is not None
    by_name = {one.name: one for one in otlp.spans}
    inner = {"classify"} if local else {"ask the model"}
    assert by_name.keys() == {"weigh", "identify and judge"} | inner
    weighed = by_name["weigh"]
    assert (weighed.trace, weighed.parent) == (f"{mark.trace:032x}", f"{mark.parent:016x}")
    assert weighed.attributes["exowatch.mention"] == "m_1"
    assert {by_name[name].parent for name in ("identify and judge", *inner)} == {weighed.id}
