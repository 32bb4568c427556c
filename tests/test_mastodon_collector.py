"""The Mastodon collector against servers: timelines read forward, streams besides, edits and deletions, whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from monitor.collectors import access_to, mastodon_stream, open_collector
from monitor.collectors.base import SourceError, Streamer, Verifies
from monitor.collectors.budget import Budgets
from monitor.collectors.mastodon import MastodonStream, MastodonTimelines
from monitor.settings.sources.mastodon import MastodonSource
from monitor.words import Post
from tests.standins.listening import background, listen, soon
from tests.standins.mastodon_server import START_MS, TOKEN, MastodonServer
from tests.standins.polling import fails, heard, poll, texts
from tests.standins.scripted import Reply

HOUR = 3_600_000
TAG = "/api/v1/timelines/tag/glow"


@pytest.fixture
async def server() -> AsyncIterator[MastodonServer]:
    async with MastodonServer() as one:
        yield one


def source(*servers: MastodonServer, tokens: bool = False, **settings: object) -> MastodonSource:
    given = {"servers": [one.origin for one in servers], "hashtags": ["glow"], "interval": 2.0} | settings
    if tokens:
        given["access_tokens"] = {one.origin.removeprefix("http://"): TOKEN for one in servers}
    return MastodonSource(name="m", kind="mastodon", **given)


@pytest.fixture
async def collector(server: MastodonServer) -> AsyncIterator[MastodonTimelines]:
    one = open_collector(source(server))
    assert isinstance(one, MastodonTimelines)
    assert isinstance(one, Verifies)
    assert not isinstance(one, Streamer)
    yield one
    await one.close()


@pytest.fixture(params=["sse", "websocket"])
async def streamer(server: MastodonServer, request: pytest.FixtureRequest) -> AsyncIterator[MastodonStream]:
    one = open_collector(source(server, tokens=True, transport=request.param, interval=3_600.0))
    assert isinstance(one, MastodonStream)
    assert isinstance(one, Streamer)
    yield one
    await one.close()


async def until_it_fails(collector: MastodonTimelines, words: str) -> list[Post]:
    """The posts of a poll that fails after them."""
    found: list[Post] = []

    async def read() -> None:
        async for batch in collector.poll(None):
            found.extend(batch.posts)

    with pytest.raises(SourceError, match=words):
        await read()
    return found


async def test_the_first_poll_reads_the_last_day_and_at_least_a_page(
    server: MastodonServer, collector: MastodonTimelines
) -> None:
    for n in range(130):
        server.post(f"text {n}", after_s=900)
    found, cursor = await texts(collector)
    assert sorted(found) == sorted(f"text {n}" for n in range(34, 130)), "24 hours of one every quarter of an hour"
    assert await texts(collector, cursor) == ([], cursor)


async def test_after_a_stop_every_page_is_read_forward(server: MastodonServer, collector: MastodonTimelines) -> None:
    server.post("before")
    _, cursor = await texts(collector)
    for n in range(130):
        server.post(f"text {n}")
    batches = await poll(collector, cursor)
    assert [post.text for batch in batches for post in batch.posts] == [f"text {n}" for n in range(130)], "in order, none missing"
    assert sum(batch.late for batch in batches) == 0
    # Stopped after any of the batches, it goes on behind it.
    again = await poll(collector, batches[1].cursor)
    assert [post.text for batch in again for post in batch.posts] == [post.text for batch in batches[2:] for post in batch.posts]


async def test_an_empty_timeline_is_followed_from_its_start(server: MastodonServer, collector: MastodonTimelines) -> None:
    _, cursor = await texts(collector)
    for n in range(90):
        server.post(f"text {n}")
    assert (await texts(collector, cursor))[0] == [f"text {n}" for n in range(90)]


async def test_posts_that_come_late_from_other_servers_are_found_and_counted(
    server: MastodonServer, collector: MastodonTimelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.post("one")
    server.post("two", after_s=7200)
    _, cursor = await texts(collector)
    server.post("late", at_ms=START_MS + 60_000 + 7_200_000 - 300_000)
    server.post("hours late", at_ms=START_MS + 60_000 + 600_000)
    server.post("three")
    (batch,) = [one for one in await poll(collector, cursor) if one.posts]
    assert ([post.text for post in batch.posts], batch.late) == (["late", "three"], 1)
    monkeypatch.setattr("monitor.collectors.mastodon.WHOLE_EVERY_S", 0.0)
    (batch,) = [one for one in await poll(collector, batch.cursor) if one.posts]
    assert ([post.text for post in batch.posts], batch.late) == (["hours late"], 1), "a whole day is read every hour"


async def test_an_edit_comes_again_under_the_same_id(server: MastodonServer, collector: MastodonTimelines) -> None:
    status = server.post("before")
    posts, cursor = await heard(collector)
    server.edit(status, "after")
    edited, cursor = await heard(collector, cursor)
    assert [(post.id, post.text) for post in edited] == [(posts[0].id, "after")]
    assert await texts(collector, cursor) == ([], cursor)


async def test_several_hashtags_share_a_request(server: MastodonServer) -> None:
    tags = ["glow", "exosome", "엑소좀", "serum", "needle", "filler", "hair"]
    one = MastodonTimelines(source(server, hashtags=tags), Budgets())
    for tag in tags:
        server.post(f"about {tag}", tag=tag)
    found, _ = await texts(one)
    await one.close()
    assert sorted(found) == sorted(f"about {tag}" for tag in tags)
    assert {asked.path for asked in server.asked} == {"/api/v2/instance", TAG, "/api/v1/timelines/tag/filler"}


async def test_what_two_servers_show_is_told_once(server: MastodonServer) -> None:
    async with MastodonServer("two.test") as other:
        first = server.post("the same")
        second = other.post("the  same, shown otherwise", **{key: first[key] for key in ("uri", "url")}, acct="ann@one.test")
        one = MastodonTimelines(source(server, other), Budgets())
        posts, cursor = await heard(one)
        assert [(post.id, post.text, post.author) for post in posts] == [(first["uri"], "the same", "ann@one.test")]
        other.edit(second, "edited")
        assert (await texts(one, cursor))[0] == ["edited"]
        await one.close()


async def test_one_server_that_fails_keeps_none_from_being_read(server: MastodonServer) -> None:
    async with MastodonServer("two.test") as other:
        other.post("from two")
        server.pages[TAG] = Reply(503)
        one = MastodonTimelines(source(server, other), Budgets())
        assert [post.text for post in await until_it_fails(one, "trouble of its own")] == ["from two"]
        await one.close()


async def test_what_is_gone_is_seen_when_asked_for(server: MastodonServer, collector: MastodonTimelines) -> None:
    kept, deleted = server.post("kept"), server.post("deleted")
    remote = server.post("from elsewhere", uri="https://far.test/objects/7", acct="zoe@far.test")
    hidden = server.post("hidden later")
    with pytest.raises(SourceError, match="no timeline was read yet"):
        await collector.still_there([kept["uri"]])
    await texts(collector)
    server.delete(deleted)
    hidden["visibility"] = "private"
    ids = [one["uri"] for one in (kept, deleted, remote, hidden)]
    assert await collector.still_there([*ids, "https://unknown.test/1"]) == {kept["uri"], remote["uri"], "https://unknown.test/1"}
    server.delete(remote)
    assert await collector.still_there([remote["uri"]]) == set()
    server.pages[f"/api/v1/statuses/{kept['id']}"] = Reply(503)
    with pytest.raises(Exception, match="503"):
        await collector.still_there([kept["uri"]])


async def test_refusals_are_told(server: MastodonServer, collector: MastodonTimelines) -> None:
    for reply, words, wait in (
        (Reply(429, b"{}", {"Retry-After": "30"}), "429", 30),
        (Reply(429, b"{}", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2000-01-01T00:00:00.000Z"}), "429", 0),
        (Reply(403, b"<html>"), "403", None), (Reply(404, b"{}"), "404", None), (Reply(500), "500", None),
        (Reply(drop=True), "broke off", None), (Reply(200, b"<html>a page</html>"), "web page", None),
        (Reply(200, b'{"error":"x"}'), "no timeline", None), (Reply(200, b"[{"), "instead of data", None),
        (Reply(401, b"{}"), "scope read:statuses", None),
    ):  # fmt: skip
        server.pages[TAG] = reply
        error = await fails(collector)
        assert words in str(error), reply
        assert error.retry_after == wait, reply
        assert not error.permanent


async def test_a_server_that_shows_hashtags_to_nobody_or_to_members_says_so(server: MastodonServer) -> None:
    for who, words in (("disabled", "switched hashtags' timelines off"), ("authenticated", "only to those who sign in")):
        server.description["configuration"]["timelines_access"] = {"hashtag_feeds": {"local": who, "remote": who}}
        one = MastodonTimelines(source(server), Budgets())
        assert words in str(await fails(one))
        await one.close()
    server.post("for members")
    server.private = True
    one = MastodonTimelines(source(server, tokens=True), Budgets())
    assert (await texts(one))[0] == ["for members"]
    await one.close()


async def test_a_server_without_a_description_is_read_all_the_same(server: MastodonServer, collector: MastodonTimelines) -> None:
    server.pages["/api/v2/instance"] = Reply(404)
    server.post("one")
    assert (await texts(collector))[0] == ["one"]


async def test_a_server_that_pages_without_end_is_stopped(
    server: MastodonServer, collector: MastodonTimelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.collectors.mastodon.MOST_PAGES", 3)
    for n in range(300):
        server.post(f"text {n}", after_s=10)
    assert await until_it_fails(collector, "without an end")
    server.pages[TAG] = Reply(200, b'[{"id": "9", "content": "always the same", "uri": "https://a.test/9"}]')
    assert len((await heard(collector))[0]) == 1, "nor is a page that never changes read for ever"


async def test_streams_tell_at_once_of_posts_edits_and_deletions(server: MastodonServer, streamer: MastodonStream) -> None:
    server.post("before")
    async with background(streamer) as all_:
        await soon(lambda: len(server.listening) == 1 and any(batch.covered for batch in all_.batches))
        asked = len(server.asked)
        one, two = server.post("one"), server.post("two")
        await soon(lambda: len(all_.posts) == 3)
        server.edit(one, "one, edited")
        server.delete(two)
        await soon(lambda: "one, edited" in all_.texts and len(all_.gone) == 1)
        assert len(server.asked) == asked, "nothing was polled for it"
        assert sorted(all_.left.values()) == ["before", "one, edited"]
        assert [gone.post for gone in all_.gone] == [two["uri"]]
        assert [batch.covered for batch in all_.batches if batch.posts] == [None] * len([b for b in all_.batches if b.posts])
        assert any(batch.covered for batch in all_.batches), "what is covered, the timelines say"
    assert any(one.path.startswith("/api/v1/streaming") and one.query["tag"] == "glow" for one in server.asked)


async def test_after_a_stop_the_timeline_brings_what_was_missed(server: MastodonServer, streamer: MastodonStream) -> None:
    async with background(streamer) as all_:
        await soon(lambda: len(server.listening) == 1)
        server.post("one")
        await soon(lambda: all_.texts == ["one"])
    server.listening.clear()
    for n in range(50):
        server.post(f"while away {n}")
    later = await listen(streamer, lambda found: len(found.posts) >= 50, all_.cursor)
    assert later.texts == [f"while away {n}" for n in range(50)]


@pytest.mark.parametrize("transport", ["sse", "websocket"])
async def test_a_stream_that_tells_only_of_deletions_leaves_nothing_out(server: MastodonServer, transport: str) -> None:
    streamer = MastodonStream(source(server, tokens=True, transport=transport), Budgets())
    server.tell = False
    async with background(streamer) as all_:
        await soon(lambda: len(server.listening) == 1)
        one = server.post("one")
        server.raw(b"{}" if transport == "websocket" else b":thump\n")
        await soon(lambda: all_.texts == ["one"])
        server.delete(one)
        await soon(lambda: [gone.post for gone in all_.gone] == [one["uri"]])
    await streamer.close()


async def test_what_comes_twice_or_in_another_order_ends_the_same(server: MastodonServer, streamer: MastodonStream) -> None:
    server.tell = False
    async with background(streamer) as all_:
        await soon(lambda: len(server.listening) == 1)
        one, two, three = server.post("one"), server.post("two"), server.post("three")
        late = json.dumps(three)
        server.delete(three)
        server.say("update", late)
        server.say("update", json.dumps(one))
        server.say("update", json.dumps(one))
        old = json.dumps(two)
        server.edit(two, "two, edited", "2026-11-22T12:00:00.000Z")
        server.say("status.update", json.dumps(two))
        server.say("update", old)
        server.say("status.update", json.dumps(two | {"content": "between", "edited_at": "2026-11-22T11:00:00.000Z"}))
        four = server.post("four")
        server.say("update", json.dumps(four))
        await soon(lambda: "four" in all_.texts)
        server.delete(four)
        await soon(lambda: four["uri"] in [gone.post for gone in all_.gone])
        server.say("status.update", json.dumps(four | {"content": "late", "edited_at": "2026-11-22T13:00:00.000Z"}))
        server.say("update", "{broken")
        server.say("delete", "../../etc")
        server.say("filters_changed", "")
        server.say("update", json.dumps({"id": 5}))
        server.post("the end", after_s=1)
        server.say("update", json.dumps(server.statuses[max(server.statuses)]))
        await soon(lambda: "the end" in all_.texts)
    assert sorted(all_.left.values()) == ["one", "the end", "two, edited"]
    assert all_.texts.count("one") == 1


async def test_a_stream_that_ends_is_opened_again(
    server: MastodonServer, streamer: MastodonStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mastodon_stream, "RETRY_S", 0.01)
    server.stream_replies = [
        Reply(503),
        Reply(429, b"", {"Retry-After": "0"}),
        Reply(200, b"<html>"),
        Reply(302, b"", {"Location": "/x"}),
    ]
    async with background(streamer) as all_:
        await soon(lambda: len(server.listening) == 1)
        server.raw(None)
        await soon(lambda: not server.listening)
        await soon(lambda: len(server.listening) == 1)
        server.post("one")
        await soon(lambda: all_.texts == ["one"])


async def test_a_silent_stream_is_given_up(
    server: MastodonServer, streamer: MastodonStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mastodon_stream, "SILENCE_S", 0.2)
    monkeypatch.setattr(mastodon_stream, "RETRY_S", 0.01)
    async with background(streamer):
        await soon(lambda: sum(one.path.startswith("/api/v1/streaming") for one in server.asked) >= 3)


async def test_a_token_that_is_refused_is_told_of_and_the_timelines_go_on(
    server: MastodonServer, streamer: MastodonStream
) -> None:
    server.stream_replies = [Reply(401, b'{"error":"The access token is invalid"}')] * 2
    server.post("one")
    all_ = await listen(streamer, lambda found: bool(found.posts))
    with pytest.raises(Exception, match="refuses the access token") as caught:
        await listen(streamer, lambda _: False, all_.cursor)
    assert TOKEN not in str(caught.value)
    server.post("two")
    later = await listen(streamer, lambda found: "two" in found.texts, all_.cursor)
    assert later.gaps == []
    assert "Authorization" not in server.asked[-1].headers


async def test_a_token_that_expires_is_told_of_once(server: MastodonServer, streamer: MastodonStream) -> None:
    server.post("one")
    all_ = await listen(streamer, lambda found: bool(found.posts))
    server.token = "another"
    with pytest.raises(Exception, match="refuses the access token"):
        await listen(streamer, lambda _: False, all_.cursor)
    server.post("two")
    assert (await listen(streamer, lambda found: "two" in found.texts, all_.cursor)).texts == ["two"]


async def test_streaming_follows_the_servers_word_for_its_host(server: MastodonServer) -> None:
    async with MastodonServer() as streaming:
        port = streaming.origin.rpartition(":")[2]
        server.description["configuration"]["urls"]["streaming"] = f"ws://127.0.0.1:{port}"
        one = MastodonStream(source(server, tokens=True), Budgets())
        async with background(one):
            await soon(lambda: len(streaming.listening) == 1)
        await one.close()
    assert not server.listening


async def test_a_private_streaming_host_that_the_server_names_is_not_reached(
    server: MastodonServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mastodon_stream, "RETRY_S", 0.01)
    async with MastodonServer(host="127.0.0.2") as inner:
        server.description["configuration"]["urls"]["streaming"] = inner.origin.replace("http", "ws")
        server.post("one")
        for transport in ("sse", "websocket"):
            one = MastodonStream(source(server, tokens=True, transport=transport), Budgets())
            assert (await listen(one, lambda found: bool(found.posts))).texts == ["one"]
            async with background(one):
                await asyncio.sleep(0.2)
            await one.close()
        assert inner.asked == []


def test_the_settings_say_what_is_wrong() -> None:
    def wrong(**settings: object) -> str:
        with pytest.raises(ValidationError) as caught:
            MastodonSource(name="m", kind="mastodon", **({"hashtags": ["glow"]} | settings))
        return str(caught.value)

    assert "hashtags" in wrong(hashtags=[])
    assert "hashtags" in wrong(hashtags=["#glow"])
    assert "not among servers (mastodon.social)" in wrong(access_tokens={"fosstodon.org": "x"})
    assert "scheme, host and port only" in wrong(servers=["https://mastodon.social/@ann"])
    assert "without user or password" in wrong(servers=["https://ann:pw@mastodon.social"])
    assert "is not set" in wrong(access_tokens={"mastodon.social": "env:NO_SUCH_TOKEN"})


def test_check_names_the_token_that_is_missing_and_how_to_get_it() -> None:
    without = access_to(MastodonSource(name="m", kind="mastodon", hashtags=["glow"]))
    assert without.usable
    assert "mastodon.social" in (without.missing or "")
    assert "read:statuses" in (without.missing or "")
    full = access_to(MastodonSource(name="m", kind="mastodon", hashtags=["glow"], access_tokens={"mastodon.social": "x"}))
    assert (full.missing, "at once" in full.works) == (None, True)
