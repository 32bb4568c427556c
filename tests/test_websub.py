"""Feeds that a hub pushes (WebSub): subscribed, verified, signed, read like a poll, renewed, given up; polls go on."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from monitor.collectors import open_collector
from monitor.collectors import websub as asking
from monitor.collectors.base import Hub
from monitor.collectors.feed import PUSHED_TIMES, FeedCollector, FeedState, read_cursor
from monitor.collectors.websub import keep_subscribed, note_hub
from monitor.settings import FeedSource, Settings
from monitor.store import Database, websub
from monitor.times import now_ms
from tests.api_server import Api, serving
from tests.daemon_process import running_daemon
from tests.standins.feed_server import FeedEntry, FeedServer
from tests.standins.hub_server import HubServer
from tests.standins.listening import soon
from tests.standins.polling import poll, texts
from tests.standins.scripted import Reply

TOPIC = "https://feed.test/rss.xml"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LOOK_EVERY_S", 0.05)


@pytest.fixture
async def feed() -> AsyncIterator[FeedServer]:
    async with FeedServer() as server:
        yield server


@pytest.fixture
async def hub() -> AsyncIterator[HubServer]:
    async with HubServer() as server:
        yield server


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(Settings(store={"url": f"sqlite:///{tmp_path}/store.sqlite"}).sqlalchemy_url)
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
async def api(store: Database, redis_url: str) -> AsyncIterator[Api]:
    async with serving(store, redis_url) as server:
        yield server


@asynccontextmanager
async def keeping(database: Database, *sources: str) -> AsyncIterator[None]:
    """The job that asks hubs, meanwhile."""
    stop = asyncio.Event()
    job = asyncio.create_task(keep_subscribed(database, sources, stop))
    try:
        yield
    finally:
        stop.set()
        await job


@pytest.fixture
async def subscribed(api: Api, hub: HubServer) -> None:
    """The source `press` is subscribed."""
    await note_hub(api.database, "press", Hub(hub.url, TOPIC, private=True), api.url)
    async with keeping(api.database, "press"):
        await soon(lambda: len(hub.subscribers) == 1)


def collector_of(feed: FeedServer, **more: object) -> FeedCollector:
    made = open_collector(FeedSource(kind="feed", name="press", url=feed.url, interval=60, **more))
    assert isinstance(made, FeedCollector)
    return made


async def pushed(collector: FeedCollector, body: str, cursor: str | None) -> tuple[list[str], str]:
    batches = [batch async for batch in collector.pushed(body.encode(), "application/rss+xml", cursor)]
    assert batches[-1].cursor is not None
    return [post.text for batch in batches for post in batch.posts], batches[-1].cursor


JSON_FEED = '{"version": "https://jsonfeed.org/version/1.1", "title": "t", "feed_url": "https://feed.test/rss.xml", "items": [], '
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>'


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=f'{ATOM}<link rel="hub" href="/hub"/><link rel="self" href="{TOPIC}"/></feed>'),
        Reply(body=JSON_FEED + '"hubs": [{"type": "rssCloud", "url": "https://x.test/"}, {"type": "WebSub", "url": "/hub"}]}'),
        Reply(body=f"{ATOM}</feed>", headers={"Link": f'</hub>; rel="hub", <{TOPIC}>; rel=self'}),
        Reply(
            body=f'{ATOM}<link rel="hub" href="https://x.test/"/></feed>',
            headers={"Link": f'</hub>; rel="hub", <{TOPIC}>; rel=self'},
        ),
    ],
    ids=["atom", "json feed", "headers", "headers go first"],
)
async def test_the_hub_of_a_feed_is_found(feed: FeedServer, reply: Reply) -> None:
    feed.next(reply)
    collector = collector_of(feed)
    (batch,) = await poll(collector)
    assert collector.hub == Hub(f"{feed.origin}/hub", TOPIC, private=True)
    await collector.close()

    feed.next(Reply(status=304))
    again = collector_of(feed)
    await poll(again, batch.cursor)
    assert again.hub == collector.hub, "also where the feed has not changed since"
    await again.close()


async def test_no_hub_where_none_is_named_or_none_is_wanted(feed: FeedServer) -> None:
    for collector in (collector_of(feed), collector_of(feed, websub=False)):
        await poll(collector)
        assert collector.hub is None
        feed.hub = "https://hub.test/"
        await collector.close()


async def test_what_is_pushed_is_read_as_a_poll_reads_it_and_comes_once(feed: FeedServer) -> None:
    feed.hub = "https://hub.test/"
    feed.entries = [FeedEntry(title="one", body="<p>Exosomes &amp; <b>you</b></p>", id="1")]
    collector = collector_of(feed)
    _, cursor = await texts(collector)
    feed.entries.insert(0, FeedEntry(title="two", body="<p>More</p>", id="2"))
    found, cursor = await pushed(collector, feed.xml(), cursor)
    assert found == ["two\n\nMore"], "and not what the poll had brought"
    assert (await pushed(collector, feed.xml(), cursor))[0] == [], "a hub may send it twice"
    assert (await texts(collector, cursor))[0] == [], "nor does the next poll bring it again"
    feed.entries[0] = FeedEntry(title="two", body="<p>Edited</p>", id="2")
    assert (await pushed(collector, feed.xml(), cursor))[0] == ["two\n\nEdited"]
    await collector.close()


async def test_polls_are_rarer_only_while_the_hub_leaves_nothing_out(feed: FeedServer) -> None:
    feed.hub = "https://hub.test/"
    feed.entries = [FeedEntry(title="one", id="1")]
    collector = collector_of(feed)
    (batch,) = await poll(collector)
    assert batch.wait is None, "a hub that was never heard is not relied upon"
    feed.entries.insert(0, FeedEntry(title="two", id="2"))
    _, cursor = await pushed(collector, feed.xml(), batch.cursor)
    (batch,) = await poll(collector, cursor)
    assert (batch.posts, batch.wait) == ([], 60 * PUSHED_TIMES)
    feed.entries.insert(0, FeedEntry(title="three", id="3"))
    (batch,) = await poll(collector, batch.cursor)
    assert ([post.text for post in batch.posts], batch.wait) == (["three"], None), "it fell silent, and nothing is lost"
    await collector.close()


async def test_a_feed_that_a_hub_pushed_in_full_has_no_gap(feed: FeedServer) -> None:
    feed.entries = [FeedEntry(title="one", id="1")]
    collector = collector_of(feed)
    _, cursor = await texts(collector)
    feed.entries = [FeedEntry(title="two", id="2")]
    _, after_push = await pushed(collector, feed.xml(), cursor)
    (batch,) = await poll(collector, after_push)
    assert batch.gap is None
    feed.entries = [FeedEntry(title="four", id="4"), FeedEntry(title="two", id="2")]
    (batch,) = await poll(collector, after_push)
    assert batch.gap is not None, "one that it left out: there may be more"
    await collector.close()


async def test_a_subscription_is_asked_for_and_meant(api: Api, hub: HubServer) -> None:
    await note_hub(api.database, "press", Hub(hub.url, TOPIC, private=True), api.url)
    async with keeping(api.database, "press"):
        await soon(lambda: hub.told == [("subscribe", True)])
    (asked,) = hub.asked
    assert asked.form["hub.mode"], asked.form["hub.topic"] == ("subscribe", TOPIC)
    assert asked.form["hub.callback"].startswith(f"{api.url}/websub/")
    assert len(asked.form["hub.secret"]) >= 32
    async with api.database.read() as connection:
        assert await websub.subscribed(connection, "press")
        assert not await websub.subscribed(connection, "press", now_ms() + hub.lease * 1000), "until the lease ends"
    await note_hub(api.database, "press", Hub(hub.url, TOPIC, private=True), api.url)
    async with api.database.read() as connection:
        assert await websub.due(connection) == [], "once"


@pytest.mark.usefixtures("subscribed")
async def test_questions_that_are_not_meant_are_refused(api: Api, hub: HubServer) -> None:
    (callback,) = hub.subscribers
    good = {"mode": "subscribe", "topic": TOPIC, "challenge": "c", "lease_seconds": "100"}
    assert await hub.ask(callback, **good) == (200, "c")
    for odd in ({"topic": "https://other.test/"}, {"mode": "unsubscribe"}, {"mode": "dance"}, {"topic": ""}):
        assert (await hub.ask(callback, **(good | odd)))[0] == 404, odd
    assert (await hub.ask(f"{api.url}/websub/{'0' * 32}", **good))[0] == 404
    for challenge in ("", "c" * 5_000):
        assert (await hub.ask(callback, **(good | {"challenge": challenge})))[0] == 400


@pytest.mark.usefixtures("subscribed")
@pytest.mark.parametrize("method", ["sha1", "sha256", "sha512"])
async def test_only_what_the_hub_has_signed_is_kept(api: Api, hub: HubServer, method: str) -> None:
    hub.method = method
    (callback,) = hub.subscribers

    async def waiting() -> bytes | None:
        async with api.database.read() as connection:
            push = await websub.next_push(connection, "press")
        return None if push is None else push.body

    with capture_logs() as logs:
        assert await hub.push("forged", secret="guessed") == [202], "a forger is not told"
    assert "without the hub's signature" in logs[0]["event"]
    assert hub.subscribers[callback].secret not in json.dumps(logs)
    assert callback.rpartition("/")[2] not in json.dumps(logs)
    async with aiohttp.ClientSession() as session:
        for header in ("", "sha256", "md5=abc", "sha256=", "sha1=\u00e4"):
            async with session.post(callback, data=b"forged", headers={"X-Hub-Signature": header}) as answer:
                assert answer.status == 202
    assert await waiting() is None
    assert await hub.push("good") == [202]
    assert await waiting() == b"good"


@pytest.mark.usefixtures("subscribed")
async def test_too_many_pushes_are_to_come_later(api: Api, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websub, "MAX_WAITING", 2)
    assert [await hub.push(str(n)) for n in range(3)] == [[202], [202], [503]]


async def test_hubs_reach_their_callback_by_a_foreign_name_and_nothing_else(
    store: Database, redis_url: str, hub: HubServer
) -> None:
    for token in ("", "the-daemons-token"):
        async with serving(store, redis_url, token=token) as api:
            await note_hub(store, "press", Hub(hub.url, TOPIC, private=True), api.url)
            async with store.read() as connection:
                callback = next(one.callback for one in await websub.due(connection) if one.callback.startswith(api.url))
            query = {"hub.mode": "subscribe", "hub.topic": TOPIC, "hub.challenge": "c"}
            foreign = {"Host": "watch.example.org"}
            async with api.client.get(callback, params=query, headers=foreign) as answer:
                assert (answer.status, await answer.text(), answer.content_type) == (200, "c", "text/plain")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert (await api.get("/api/v1/mentions", headers=foreign))[0] in (401, 403)


async def test_a_lease_is_renewed_before_it_ends(api: Api, hub: HubServer) -> None:
    hub.lease = 1
    await note_hub(api.database, "press", Hub(hub.url, TOPIC, private=True), api.url)
    async with keeping(api.database, "press"):
        await soon(lambda: len(hub.told) >= 2)
    hub.lease = 1_000
    (callback,) = hub.subscribers
    assert (await hub.ask(callback, mode="subscribe", topic=TOPIC, challenge="c", lease_seconds="1000"))[0] == 200
    async with api.database.read() as connection:
        assert await websub.due(connection, now_ms() + 700_000) == []
        assert len(await websub.due(connection, now_ms() + 800_000)) == 1
    assert [asked.form["hub.mode"] for asked in hub.asked[:2]] == ["subscribe", "subscribe"]
    assert len(hub.subscribers) == 1, "the same one"


@pytest.mark.usefixtures("subscribed")
async def test_a_subscription_ends_with_its_source(api: Api, hub: HubServer) -> None:
    await hub.push("not read yet")
    (gone,) = hub.subscribers.values()
    async with keeping(api.database, "another"):
        await soon(lambda: hub.told[-1] == ("unsubscribe", True))
    assert hub.subscribers == {}
    async with api.database.read() as connection:
        assert await websub.next_push(connection, "press") is None
    hub.subscribers[gone.callback] = gone
    assert await hub.push("late") == [404]


@pytest.mark.usefixtures("subscribed")
async def test_a_push_that_nobody_reads_is_gone_after_a_day(api: Api, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def kept() -> bool:
        async with api.database.read() as connection:
            return await websub.next_push(connection, "press") is not None

    await hub.push("not read yet")
    assert await kept()
    monkeypatch.setattr("monitor.store.websub.KEPT_MS", -1_000)
    async with keeping(api.database, "press"), asyncio.timeout(60):
        while await kept():
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("subscribed")
async def test_another_hub_takes_the_place_of_the_first(api: Api, hub: HubServer) -> None:
    async with HubServer() as other:
        await note_hub(api.database, "press", Hub(other.url, TOPIC, private=True), api.url)
        assert await hub.push("from the old one") == [410]
        async with keeping(api.database, "press"):
            await soon(lambda: len(other.subscribers) == 1 and not hub.subscribers)


async def test_hubs_that_refuse_are_asked_again_later_and_not_at_once(api: Api, hub: HubServer) -> None:
    hub.next(Reply(status=503, headers={"Retry-After": "7200"}))
    await note_hub(api.database, "press", Hub(hub.url, TOPIC, private=True), api.url)
    async with keeping(api.database, "press"):
        await soon(lambda: len(hub.asked) == 1)
    async with api.database.read() as connection:
        assert await websub.due(connection, now_ms() + 7_100_000) == []
        (one,) = await websub.due(connection, now_ms() + 7_300_000)
    assert (await hub.ask(one.callback, mode="denied", topic=TOPIC, reason="no"))[0] == 200
    async with api.database.read() as connection:
        assert not await websub.subscribed(connection, "press")
        assert await websub.due(connection, now_ms() + 23 * 3_600_000) == []
        assert len(await websub.due(connection, now_ms() + 25 * 3_600_000)) == 1


async def test_a_hub_inside_that_a_public_feed_names_is_not_asked(api: Api, hub: HubServer) -> None:
    await note_hub(api.database, "press", Hub(hub.url, TOPIC, private=False), api.url)
    with capture_logs() as logs:
        async with keeping(api.database, "press"):
            await soon(lambda: any("did not take" in entry["event"] for entry in logs))
    assert hub.asked == []


async def test_a_daemon_hears_a_push_long_before_the_next_poll(feed: FeedServer, hub: HubServer, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "monitor.toml"
    config.write_text(
        f'data_dir = "var"\n[api]\nport = {port}\npublic_url = "http://127.0.0.1:{port}/"\n'
        f'[[source]]\nname = "press"\nkind = "feed"\nurl = "{feed.url}"\ninterval = "1d"\n'
    )
    feed.hub = hub.url
    async with running_daemon(config) as daemon:
        await soon(lambda: len(hub.subscribers) == 1)
        feed.entries = [FeedEntry(title="Exosomes cured my knee", id="7")]
        assert await hub.push(feed.xml()) == [202]
        found = await daemon.until("/mentions", lambda answer: len(answer["items"]) == 1)
        assert found["items"][0]["source"] == "press"
        assert len([one for one in feed.asked if one.path == "/rss.xml"]) == 1


def test_what_a_push_brought_survives_in_the_cursor() -> None:
    state = FeedState(url="u", seen={"a": "1", "b": "2"}, pushed={"b": "3", "c": "4"})
    assert state.known == {"b": "3", "c": "4", "a": "1"}
    assert read_cursor('{"url": "u", "seen": {"a": "1"}}', FeedState).known == {"a": "1"}, "a cursor of an earlier version"
