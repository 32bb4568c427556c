"""Hostile sites and receivers around an honest feed and an honest receiver: each is named, and none holds those up.

One daemon is put through all of them; every row then looks for itself. What a single GET or a single delivery makes of the worst
answers stands in test_collector_http.py, test_feed_hostile.py, test_reddit_failures.py and test_delivery_faults.py.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.abuse import CONTROL, endpoint, feed, quick_config
from tests.daemon_process import running_daemon
from tests.receiver import SECRET, Receiver
from tests.standins.feed_server import FeedEntry, FeedServer
from tests.standins.reddit_server import CLIENT_ID, RedditServer
from tests.standins.scripted import Reply

XML = {"Content-Type": "application/rss+xml; charset=utf-8"}
ITEM = b"<item><guid>1</guid><title>exosomes</title></item>"
RSS = b'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>%s</channel></rss>'
BOMB = b'<!DOCTYPE a [<!ENTITY b "exosomes"><!ENTITY c "%s">]>' % (b"&b;" * 50) + RSS % b"<item><title>&c;</title></item>"

# A page by the source's name, and what `GET /sources` must say of it: words of its error.
REFUSED: dict[str, tuple[Reply, str]] = {
    "entity-bomb": (Reply(200, BOMB, XML), "document type"),
    "gzip-bomb": (Reply(200, gzip.compress(b" " * 50_000_000), XML | {"Content-Encoding": "gzip"}), "more than 5120 kB"),
    "endless-body": (Reply(200, headers=XML, endless=True), "more than 5120 kB"),
    "cut-off-gzip": (Reply(200, gzip.compress(RSS % ITEM)[:-20], XML | {"Content-Encoding": "gzip"}), "gzip"),
    "unknown-encoding": (Reply(200, b"x", XML | {"Content-Encoding": "br"}), "encoding"),
    "html-page": (
        Reply(200, "<!doctype html><html><body>Please log in</body></html>", {"Content-Type": "text/html"}),
        "HTML page",
    ),
    "empty": (Reply(200, b"", XML), "an empty answer"),
    "deep-json": (Reply(200, b"[" * 100_000, {"Content-Type": "application/feed+json"}), "check the url"),
    "png": (Reply(200, b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100, {"Content-Type": "image/png"}), "not a feed"),
    "login": (Reply(401), "refuses access (401)"),
    "gone": (Reply(410), "gone for good (410)"),
    "too-many-requests": (Reply(429, headers={"Retry-After": "999999999999"}), "fewer requests (429)"),
    "on-fire": (Reply(503, b"\0\xff" * 100), "trouble of its own (503)"),
    "odd-status": (Reply(299 + 300), "trouble of its own (599)"),
    "cut-connection": (Reply(drop=True), "broke off the connection"),
    "redirects-for-ever": (Reply(302, headers={"Location": "/redirects-for-ever"}), "redirects more than 5 times"),
    "redirects-to-a-file": (Reply(302, headers={"Location": "file:///etc/passwd"}), "not a web address"),
    "redirects-to-nonsense": (Reply(302, headers={"Location": "http://[::1"}), "address"),
}


def item(inside: bytes) -> Reply:
    return Reply(200, RSS % b"<item>%s</item>" % inside, XML)


HEARD: dict[str, tuple[Reply, str]] = {  # pages that give a post all the same, and how its text begins
    "invalid-utf-8": (item(b"<guid>1</guid><title>exosomes \xff\xfe news</title>"), "exosomes "),
    "nul-and-controls": (item(b"<guid>2</guid><title>exosomes \0\x1b[31m here</title>"), "exosomes "),
    "never-closed": (Reply(200, (RSS % (b"<item><title>exosomes here</title>" + b"<b>" * 5_000))[:-20], XML), "exosomes here"),
    "endless-id": (item(b"<guid>" + b"x" * 100_000 + b"</guid><title>exosomes here</title>"), "exosomes here"),
    "script": (
        item(b"<guid>5</guid><title>exosomes</title><link>javascript:alert(1)</link><description>&lt;script&gt;alert(1)"
             b"&lt;/script&gt;shown</description>"),
        "exosomes\n\nshown",
    ),
    "clock-of-9999": (item(b"<guid>6</guid><title>exosomes</title><pubDate>Fri, 31 Dec 9999 23:59:59 GMT</pubDate>"), "exosomes"),
}  # fmt: skip
RAW_SITES: dict[str, tuple[bytes, str]] = {  # what is written to a connection whatever is asked
    "garbage": (b"\x00\x01\x02garbage\r\n\r\n" * 100, "not proper HTTP"),
    "endless-header": (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2_000_000, "not proper HTTP"),
    "two-lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello", "not proper HTTP"),
    "negative-length": (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", "not proper HTTP"),
}
RECEIVERS = {
    "cuts": "closed before an answer came",
    "garbled": "could not be read as HTTP",
    "redirecting": "a redirect",
    "refusing": "answered 400",
    "nobody": "no connection",
    "endless-answer": "",  # the status counts: delivered
    "silent": None,  # still waiting when all else is done
}


@dataclass
class Seen:
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    mentions: dict[str, dict[str, Any]] = field(default_factory=dict)
    deliveries: dict[str, dict[str, Any]] = field(default_factory=dict)
    received: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""


async def listening(
    stack: AsyncExitStack, answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> str:
    """The origin of a server that treats its connections so."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await answer(reader, writer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            connections.discard(task)
            writer.close()

    async def end() -> None:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    stack.push_async_callback(end)
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def writing(content: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(content)

    return answer


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A slow loris: a letter now and then, for ever."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"<")
        await writer.drain()
        await asyncio.sleep(0.2)


async def never(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """200 MB of answer."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
    for _ in range(200):
        writer.write(b"x" * 1_000_000)
        await writer.drain()


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return asyncio.run(play(tmp_path_factory))


async def play(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    seen = Seen()
    async with AsyncExitStack() as stack:
        site, reddit = await stack.enter_async_context(FeedServer()), await stack.enter_async_context(RedditServer())
        receiver = await stack.enter_async_context(Receiver())
        site.pages |= {f"/{name}": reply for name, (reply, _) in (REFUSED | HEARD).items()}
        parts = [feed(name, f"{site.origin}/{name}") for name in REFUSED | HEARD]
        parts += [feed(name, await listening(stack, writing(content))) for name, (content, _) in RAW_SITES.items()]
        parts += [feed("slow-loris", await listening(stack, drip)), feed("silent-site", await listening(stack, never))]
        parts.append(feed("nobody-there", "http://127.0.0.1:1/feed"))
        parts.append(
            f'[[source]]\nname = "wrong-login"\nkind = "reddit"\nsubreddits = ["abc"]\ninterval = "2s"\n'
            f'base_url = "{reddit.origin}"\nclient_id = "{CLIENT_ID}"\nclient_secret = "wr0ng-s3cret"\n'
        )
        origins = {
            "cuts": await listening(stack, writing(b"")),
            "garbled": await listening(stack, writing(b"\0\xffgarbage\r\n\r\n")),
            "redirecting": await listening(
                stack, writing(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
            ),
            "refusing": await listening(stack, writing(b"HTTP/1.1 400 \x1b[31mno\r\nContent-Length: 6\r\n\r\n\x1b[31m\0")),
            "nobody": "http://127.0.0.1:1",
            "endless-answer": await listening(stack, pour),
            "silent": await listening(stack, never),
        }
        parts += [endpoint(name, f"{origin}/{SECRET[-8:]}") for name, origin in origins.items()]
        parts.append(feed("honest", site.url))
        config = quick_config(tmp_path_factory.mktemp("sites"), *parts, hook=receiver.url)
        async with running_daemon(config) as daemon:
            bad = {*REFUSED, *RAW_SITES, "nobody-there", "wrong-login"}
            await daemon.until(
                "/sources",
                lambda page: (
                    all(one["last_error"] for one in page["items"] if one["name"] in bad)
                    and all(one["last_success"] for one in page["items"] if one["name"] in {*HEARD, "honest"})
                ),
            )
            # Only now, with all of them in the midst of it:
            site.entries.append(FeedEntry(title="News", body="Our exosomes cure arthritis.", id="honest-1"))
            await receiver.got(1)
            await daemon.until("/deliveries", lambda page: sum(bool(one["attempts"]) for one in page["items"]) == len(RECEIVERS))
            seen.sources = {one["name"]: one for one in (await daemon.get("/sources"))["items"]}
            seen.mentions = {one["source"]: one for one in (await daemon.get("/mentions"))["items"]}
            seen.deliveries = {one["endpoint"]: one for one in (await daemon.get("/deliveries"))["items"]}
            seen.received = [got.event for got in receiver.kept]
        seen.log = daemon.log()
    return seen


SAID = {name: said for name, (_, said) in REFUSED.items()} | {name: said for name, (_, said) in RAW_SITES.items()}
SAID |= {"nobody-there": "refuses the connection", "wrong-login": "client_"}


@pytest.mark.parametrize("name", SAID)
def test_a_site_that_cannot_be_read_is_named_with_its_reason(seen: Seen, name: str) -> None:
    source = seen.sources[name]
    assert source["state"] in ("failing", "down", "off")
    sentence = source["last_error"]
    assert SAID[name] in sentence
    assert len(sentence) < 300
    assert not CONTROL.search(sentence)
    assert "unexpected" not in sentence
    assert name not in seen.mentions


@pytest.mark.parametrize("name", HEARD)
def test_a_feed_that_is_broken_is_heard_all_the_same(seen: Seen, name: str) -> None:
    mention = seen.mentions[name]
    assert mention["text"].startswith(HEARD[name][1])
    assert not re.search(r"[\x00\x1b]", mention["text"])
    assert "alert(1)" not in mention["text"]
    assert mention["url"] is None or mention["url"].startswith("http")
    assert seen.sources[name]["state"] == "ok"


@pytest.mark.parametrize("name", ["slow-loris", "silent-site"])
def test_a_site_that_takes_its_time_holds_up_no_other(seen: Seen, name: str) -> None:
    assert seen.sources[name]["state"] == "waiting"
    assert seen.sources["honest"]["state"] == "ok"


@pytest.mark.parametrize("name", RECEIVERS)
def test_a_receiver_that_misbehaves_is_named_and_holds_up_no_other(seen: Seen, name: str) -> None:
    said = RECEIVERS[name]
    attempts = seen.deliveries[name]["attempts"]
    if said is None:
        assert (attempts, seen.deliveries[name]["state"]) == ([], "pending")
    elif said:
        assert said in attempts[0]["error"]
        assert seen.deliveries[name]["state"] == "pending", "it is tried again"
    else:
        assert seen.deliveries[name]["state"] == "delivered"
    for attempt in attempts:
        assert not CONTROL.search(json.dumps(attempt, ensure_ascii=False))
        assert len(attempt["answer"] or "") <= 1_024


def test_the_honest_ones_were_not_held_up(seen: Seen) -> None:
    (event,) = seen.received
    assert event["data"]["mention"]["source"] == "honest"
    assert seen.sources["honest"]["state"] == "ok"


def test_nothing_secret_and_nothing_unexpected_is_logged(seen: Seen) -> None:
    assert "wr0ng" not in seen.log
    assert SECRET[-8:] not in seen.log
    assert "Traceback" not in seen.log
    for line in seen.log.splitlines():
        assert json.loads(line)["level"] in ("info", "warning"), line
