"""The Bluesky collector against a Jetstream: from where it left off, whatever the server does meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import zstandard

from monitor.collectors import bluesky, bluesky_reading, open_collector
from monitor.collectors.bluesky import BlueskyCollector
from monitor.collectors.budget import Budgets
from monitor.settings.sources.bluesky import BlueskySource
from tests.standins.jetstream import LOOKBACK_US, Jetstream, account, commit, cut, ends_with, train
from tests.standins.listening import background, listen, refuses, soon

ANN, BEN = "did:plc:ann", "did:plc:ben"


def place(server: Jetstream, host: str | None = None, seq: int | None = 1_000) -> str:
    """A cursor at the first event."""
    return json.dumps({"host": server.origin if host is None else host, "seq": seq, "us": server.events[0]["time_us"]})


def uri(did: str, rkey: str) -> str:
    return f"at://{did}/app.bsky.feed.post/{rkey}"


@pytest.fixture
async def server() -> AsyncIterator[Jetstream]:
    async with Jetstream() as jetstream:
        yield jetstream


@pytest.fixture
async def collector(server: Jetstream) -> AsyncIterator[BlueskyCollector]:
    one = open_collector(BlueskySource(name="sky", kind="bluesky", base_url=server.origin))
    assert isinstance(one, BlueskyCollector)
    yield one
    await one.close()


def of(server: Jetstream, **settings: object) -> BlueskyCollector:
    return BlueskyCollector(BlueskySource(name="sky", kind="bluesky", **({"base_url": server.origin} | settings)), Budgets())


async def test_the_first_run_hears_what_is_said_from_now_on(server: Jetstream, collector: BlueskyCollector) -> None:
    server.add(commit(ANN, "1", "before"))
    async with background(collector) as heard:
        await soon(lambda: len(server.asked) == 1)
        await server.say(commit(ANN, "2", "one"), commit(BEN, "1", "two"))
        await soon(lambda: len(heard.posts) == 2)
    assert heard.texts == ["one", "two"]
    assert [post.id for post in heard.posts] == [uri(ANN, "2"), uri(BEN, "1")]
    assert (heard.posts[0].author, heard.posts[0].source, heard.gaps) == (ANN, "sky", [])
    span = heard.batches[0].covered
    first = server.events[1]["time_us"] // 1000
    assert span is not None
    assert span.since == first, "what came before is not said to be covered"
    assert heard.batches[-1].covered is not None
    assert heard.batches[-1].covered.until == server.events[2]["time_us"] // 1000
    assert server.asked[0]["collections"] == "app.bsky.feed.post"
    assert "kinds" not in server.asked[0], "accounts' ends would be left out"


async def test_frames_come_compressed_and_without_a_dictionary_as_they_are(server: Jetstream) -> None:
    for dictionary, settings, packed in ((server.dictionary, {}, True), (None, {}, False), (b"nonsense", {}, False),
                                         (server.dictionary, {"compress": False}, False)):  # fmt: skip
        server.dictionary = dictionary
        server.events.clear()
        server.asked.clear()
        one = of(server, **settings)
        async with background(one) as heard:
            await soon(lambda: len(server.asked) == 1)
            await server.say(commit(ANN, "2", "a text with snowmen ☃" * 3_000))
            await soon(lambda heard=heard: len(heard.posts) == 1)  # type: ignore[misc]
        await one.close()
        assert heard.texts == ["a text with snowmen ☃" * 3_000]
        assert ("zstdDictionary" in server.asked[0]) == packed


async def test_after_a_stop_nothing_is_missing_and_nothing_is_a_gap(server: Jetstream, collector: BlueskyCollector) -> None:
    async with background(collector) as heard:
        await soon(lambda: len(server.asked) == 1)
        await server.say(commit(ANN, "1", "one"))
        await soon(lambda: len(heard.posts) == 1)
    server.add(*(commit(BEN, str(n), f"while away {n}") for n in range(1_200)))
    again = of(server)
    later = await listen(again, lambda all_: len(all_.posts) >= 1_201, heard.cursor)
    await again.close()
    assert server.asked[1]["cursor"] == "1000"
    assert later.texts == ["one", *(f"while away {n}" for n in range(1_200))], "in order; the last one heard comes once more"
    assert later.gaps == []
    assert all(batch.covered and batch.covered.since is None for batch in later.batches), "it joins what was covered"


async def test_a_connection_cut_while_catching_up_goes_on_where_it_was(server: Jetstream, collector: BlueskyCollector) -> None:
    server.add(*(commit(ANN, str(n), f"text {n}") for n in range(900)))
    server.faults = {0: (350, cut), 1: (350, ends_with("ConsumerTooSlow"))}
    start = place(server)
    heard = await listen(collector, lambda all_: "text 899" in all_.texts, start, connections=3)
    assert sorted(set(heard.texts)) == sorted(f"text {n}" for n in range(900)), "no text is lost"
    assert heard.gaps == []
    assert heard.connections == 3


async def test_too_slow_is_said_so(server: Jetstream, collector: BlueskyCollector) -> None:
    server.faults = {0: (0, ends_with("ConsumerTooSlow"))}
    assert "ConsumerTooSlow" in str(await refuses(collector))


async def test_another_instance_counts_otherwise_and_loses_nothing(server: Jetstream) -> None:
    """The number 1000 is later there: taken at its word, everything between would be lost without a sound."""
    server.add(commit(ANN, "1", "one"), commit(ANN, "2", "two"), commit(ANN, "3", "three"), after_s=60)
    for first_seq in (999, 998, 990, 5, 4_000):
        async with Jetstream(first_seq=first_seq) as other:
            other.events = server.events
            one = of(other)
            cursor = place(other)
            heard = await listen(one, lambda all_: "three" in all_.texts, cursor)
            await one.close()
            assert {"two", "three"} <= set(heard.texts), first_seq
            assert heard.gaps == [], first_seq


async def test_another_host_goes_on_by_time(server: Jetstream, collector: BlueskyCollector) -> None:
    server.add(commit(ANN, "1", "one"), commit(ANN, "2", "two"))
    us = server.events[0]["time_us"]
    heard = await listen(collector, lambda all_: "two" in all_.texts, place(server, host="https://other", seq=77))
    assert server.asked[0]["cursor"] == str(us - 5_000_000)
    assert (heard.texts, heard.gaps) == (["one", "two"], [])


async def test_a_cursor_beyond_what_is_kept_is_a_gap(server: Jetstream, collector: BlueskyCollector) -> None:
    server.add(commit(ANN, "1", "one"))
    server.add(commit(ANN, "2", "two"), commit(ANN, "3", "three"), after_s=40 * 3600)
    server.floor_us = server.events[1]["time_us"] - 1
    cursor = place(server)
    heard = await listen(collector, lambda all_: "three" in all_.texts, cursor)
    assert [asked["cursor"] for asked in server.asked] == ["1000", str(server.events[0]["time_us"] - 5_000_000)]
    assert heard.texts == ["two", "three"]
    (gap,) = [batch.gap for batch in heard.batches if batch.gap]
    assert "keeps no more" in gap.cause
    assert (gap.since, gap.until, gap.ticket) == (None, server.events[1]["time_us"] // 1000, None)


async def test_the_first_protocol_clamps_without_a_word_and_it_is_noticed(server: Jetstream) -> None:
    server.add(commit(ANN, "1", "one"))
    server.add(commit(ANN, "2", "two"), after_s=2 * LOOKBACK_US / 1e6)
    server.floor_us = server.events[1]["time_us"]
    one = of(server, protocol="v1")
    heard = await listen(one, lambda all_: len(all_.posts) == 1, place(server, host="", seq=None))
    await one.close()
    assert (server.paths, server.asked[0]["wantedCollections"]) == (["/subscribe"], "app.bsky.feed.post")
    assert (heard.texts, len(heard.gaps)) == (["two"], 1)


async def test_the_first_protocol_goes_on_without_a_gap(server: Jetstream) -> None:
    server.add(commit(ANN, "1", "one"), commit(ANN, "2", "two"), account(ANN, "deleted"), commit(BEN, "1", "three"))
    one = of(server, protocol="v1")
    heard = await listen(one, lambda all_: "three" in all_.texts, place(server, host="", seq=None))
    await one.close()
    assert heard.texts == ["one", "two", "three"]
    assert heard.gaps == []
    assert list(heard.left.values()) == ["three"]
    assert f'"us":{server.events[3]["time_us"]}' in (heard.cursor or "")


async def test_an_old_server_is_said_to_be_one() -> None:
    async with Jetstream(old=True) as server:
        one = of(server)
        assert 'protocol = "v1"' in str(await refuses(one))
        await one.close()


async def test_deletions_edits_and_the_end_of_accounts(server: Jetstream, collector: BlueskyCollector) -> None:
    async with background(collector) as heard:
        await soon(lambda: len(server.asked) == 1)
        await server.say(commit(ANN, "1", "one"), commit(ANN, "2", "two"), commit(BEN, "1", "three"), commit(BEN, "2", "four"))
        await server.say(commit(ANN, "2"), commit(BEN, "1", "three, edited", operation="update"))
        await soon(lambda: "three, edited" in heard.texts and len(heard.gone) == 1)
        assert heard.left == {uri(ANN, "1"): "one", uri(BEN, "1"): "three, edited", uri(BEN, "2"): "four"}
        await server.say(account(BEN, "throttled"), account(BEN, "deleted"))
        await soon(lambda: len(heard.gone) == 2)
    assert heard.left == {uri(ANN, "1"): "one"}
    assert (heard.gone[0].post, heard.gone[1].author, heard.gone[1].prefix) == (uri(ANN, "2"), BEN, f"at://{BEN}/")


async def test_what_comes_in_another_order_ends_the_same(server: Jetstream, collector: BlueskyCollector) -> None:
    def at(rev: str, event: dict[str, object]) -> dict[str, object]:
        return event | {"commit": {**event["commit"], "rev": rev}}  # type: ignore[dict-item]

    async with background(collector) as heard:
        await soon(lambda: len(server.asked) == 1)
        await server.say(at("3b", commit(ANN, "1")), at("3a", commit(ANN, "1", "deleted before it was made")))
        await server.say(at("3d", commit(ANN, "2", "new", operation="update")), at("3c", commit(ANN, "2", "old")))
        await server.say(at("3e", commit(ANN, "3")), at("3f", commit(ANN, "3", "made again")))
        await server.say(account(BEN, "deactivated"), commit(BEN, "1", "back again"))
        await server.say(commit(ANN, "4", "twice"), commit(ANN, "4", "twice"), commit(ANN, "9", "the end"))
        await soon(lambda: "the end" in heard.texts)
    assert heard.left == {
        uri(ANN, "2"): "new", uri(ANN, "3"): "made again", uri(BEN, "1"): "back again", uri(ANN, "4"): "twice",
        uri(ANN, "9"): "the end",
    }  # fmt: skip


async def test_a_deletion_that_comes_again_after_a_crash_is_carried_out_again(
    server: Jetstream, collector: BlueskyCollector
) -> None:
    server.add(commit(ANN, "1", "one"), commit(ANN, "1"), commit(ANN, "2", "two"))
    cursor = place(server)
    for _ in range(2):
        heard = await listen(collector, lambda all_: "two" in all_.texts, cursor)
        assert [one.post for one in heard.gone] == [uri(ANN, "1")]


async def test_bombs_garbage_and_unknown_kinds_are_passed_over(server: Jetstream, collector: BlueskyCollector) -> None:
    bomb = zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(server.dictionary or b""))
    assert len(bomb.compress(b'"' + b"0" * 200_000_000 + b'"')) < 100_000

    async def throw(socket: object) -> None:
        await socket.send_bytes(bomb.compress(b"0" * 200_000_000))  # type: ignore[attr-defined]
        await socket.send_bytes(b"\x28\xb5\x2f\xfd no zstd")  # type: ignore[attr-defined]
        await socket.send_str("{not json")  # type: ignore[attr-defined]

    server.faults = {0: (1, throw)}
    async with background(collector) as heard:
        await soon(lambda: len(server.asked) == 1)
        await server.say(
            commit(ANN, "1", "one"), {"did": ANN, "kind": "sync"}, {"did": ANN, "kind": "poll"}, {"raw": {"$type": "news"}}
        )
        await server.say(commit(ANN, "2", "two"))
        await soon(lambda: "two" in heard.texts)
    assert (heard.texts, heard.connections) == (["one", "two"], 1)
    assert '"seq":1004' in (heard.cursor or "")


async def test_a_frame_that_is_too_long_is_left_out_the_next_time(
    server: Jetstream, collector: BlueskyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bluesky, "MOST_FRAME", 20_000)
    server.dictionary = None
    server.add(commit(ANN, "1", "one"), commit(ANN, "2", "x" * 30_000), commit(ANN, "3", "three"))
    cursor = place(server)
    with pytest.raises(AssertionError):
        await listen(collector, lambda all_: "three" in all_.texts, cursor, connections=2)
    assert [asked.get("maxMessageSizeBytes") for asked in server.asked] == [None, "20000"]


async def test_a_stream_in_an_unknown_form_fails_instead_of_hearing_nothing(
    server: Jetstream, collector: BlueskyCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bluesky_reading, "UNREADABLE", 20)
    server.add(commit(ANN, "1", "one"), *({"raw": {"$type": "message.v3", "n": n}} for n in range(20)))
    cursor = place(server)
    assert "needs an update" in str(await refuses(collector, cursor))


async def test_a_retired_dictionary_is_fetched_anew(server: Jetstream, collector: BlueskyCollector) -> None:
    server.add(commit(ANN, "1", "one"))
    cursor = place(server)
    await listen(collector, lambda all_: len(all_.posts) == 1, cursor)
    server.dictionary = train(seed=2, dictionary_id=20261122).as_bytes()
    heard = await listen(collector, lambda all_: len(all_.posts) == 1, cursor)
    assert heard.texts == ["one"]
    assert [asked["zstdDictionary"] for asked in server.asked] == ["20260811", "20260811", "20261122"]


async def test_a_server_that_refuses_its_own_dictionary_is_heard_without(server: Jetstream, collector: BlueskyCollector) -> None:
    server.add(commit(ANN, "1", "one"))
    server.refusals.append((400, b'{"error":"UnknownZstdDictionary","message":"7"}', {}))
    cursor = place(server)
    heard = await listen(collector, lambda all_: len(all_.posts) == 1, cursor)
    assert heard.texts == ["one"]
    assert "zstdDictionary" not in server.asked[-1]


async def test_refusals_are_told_and_waited_for(server: Jetstream, collector: BlueskyCollector) -> None:
    server.refusals.append((429, b"slow down", {"Retry-After": "7"}))
    server.refusals.append((503, b'{"error":"BootstrapRunning","message":"x"}', {}))
    server.refusals.append((302, b"", {"Location": "http://169.254.169.254/"}))
    server.refusals.append((403, b"<html>" + b"no" * 10_000, {}))
    limited = await refuses(collector)
    assert (limited.retry_after, "429" in str(limited)) == (7, True)
    assert "BootstrapRunning" in str(await refuses(collector))
    assert "302" in str(await refuses(collector)), "a redirect is not followed"
    assert "403" in str(await refuses(collector))
    assert len(server.asked) == 4


async def test_no_server_is_one_sentence(collector: BlueskyCollector) -> None:
    gone = BlueskyCollector(BlueskySource(name="sky", kind="bluesky", base_url="http://127.0.0.1:9"), Budgets())
    assert "refuses the connection" in str(await refuses(gone))
    await gone.close()


async def test_hosts_take_turns_while_one_brings_nothing(server: Jetstream) -> None:
    one = BlueskyCollector(BlueskySource(name="sky", kind="bluesky", hosts=("http://127.0.0.1:9", server.origin)), Budgets())
    server.add(commit(ANN, "1", "one"))
    cursor = place(server, host="", seq=None)
    for _ in range(2):
        heard = await listen(one, lambda all_: len(all_.posts) == 1, cursor, connections=2)
        assert heard.texts == ["one"]
    assert len(server.asked) == 2, "and it stays with the one that speaks"
    await one.close()


async def test_a_quiet_server_gives_signs_of_life_and_is_covered(server: Jetstream, collector: BlueskyCollector) -> None:
    server.pings_s = 0.05
    async with background(collector) as heard:
        await soon(lambda: len(heard.batches) >= 3)
    assert heard.posts == []
    assert heard.cursor is None
    (first, second, *_) = heard.batches
    assert first.covered is None, "one ping alone says nothing of what came before it"
    assert second.covered is not None
    assert second.covered.since == second.covered.until


async def test_a_socket_that_falls_silent_yields_nothing(server: Jetstream, collector: BlueskyCollector) -> None:
    async with background(collector) as heard:
        await soon(lambda: len(server.asked) == 1)
        await server.say(commit(ANN, "1", "one"))
        await soon(lambda: len(heard.posts) == 1)
        count = len(heard.batches)
        await asyncio.sleep(0.3)
        assert len(heard.batches) == count, "the runner's watchdog counts batches"
    assert collector.stall_s == 60
