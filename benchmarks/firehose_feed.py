"""A Jetstream that sends at a rate: `python -m benchmarks.firehose_feed SECONDS RATE`.

Prints its address, then what it sent; it is ended from outside.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import sys
import time

import msgspec
import zstandard
from aiohttp import web

from benchmarks import posts
from benchmarks.keywords import firehose

DISTINCT = 20_000  # texts; every post is another one all the same, by its end
ON_TOPIC = 0.001
_TICK_S = 0.01
_TOGETHER = 50  # events of one time
_COMMIT = (
    b'{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#commit","seq":%d,"did":"did:plc:%024d",'
    b'"time":"%s","witnessedAt":"%s","rev":"3m%011d","operation":"%s","collection":"app.bsky.feed.post","rkey":"3k%011d"%s}}'
)
_RECORD = (
    b',"cid":"bafyreiguce4jh7kcbmof3pmcvasifqtw24b6isakj5ve5ga2b4z4alpc4i","record":{"$type":"app.bsky.feed.post",'
    b'"createdAt":"%s","langs":["en"],"text":%s}'
)
_ACCOUNT = (
    b'{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#account","seq":%d,"did":"did:plc:%024d",'
    b'"time":"%s","account":{"active":false,"status":"deleted","did":"did:plc:%024d","seq":1,"time":"%s"}}}'
)


class Sent(msgspec.Struct):
    """What went out: all events, posts among them, and those on topic."""

    events: int = 0
    posts: int = 0
    on_topic: int = 0
    seconds: float = 0.0


class Feed:
    """Sends, to the first who connects, nine posts in ten events; the others are edits, deletions and accounts that end."""

    def __init__(self, seconds: float, rate: float) -> None:
        wire = [msgspec.json.decode(one)["text"] for one in firehose(DISTINCT, other_share=0.3, on_topic=ON_TOPIC)]
        keywords = posts.topic().keywords
        self._texts = [(text, bool(keywords.find(f"{text} 9"))) for text in wire]
        self._seconds = seconds
        self._rate = rate
        self._dice = random.Random(7)
        self.sent = Sent()
        self.over = asyncio.Event()
        samples: list[bytes | bytearray | memoryview] = [self._frame(n, _now()) for n in range(500)]
        self.sent = Sent()
        self.dictionary = zstandard.train_dictionary(8_192, samples, dict_id=20260811)
        self._packer = zstandard.ZstdCompressor(dict_data=self.dictionary, write_content_size=False)

    async def give_dictionary(self, _: web.Request) -> web.Response:
        return web.Response(body=self.dictionary.as_bytes())

    async def subscribe(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        started = time.perf_counter()
        number, most = 0, round(self._seconds * self._rate)
        while number < most:
            due = min(most, round((time.perf_counter() - started) * self._rate))
            while number < due:
                now = _now()
                for n in range(number, min(due, number + _TOGETHER)):
                    await socket.send_bytes(self._packer.compress(self._frame(n, now)))
                number = min(due, number + _TOGETHER)
            await asyncio.sleep(_TICK_S)
        self.sent.seconds = time.perf_counter() - started
        self.over.set()
        await socket.receive()  # the client closes once it has heard all
        return socket

    def _frame(self, number: int, now: bytes) -> bytes:
        roll = self._dice.random()
        self.sent.events += 1
        account = self._dice.randrange(500_000)
        if roll < 0.02:  # none that posted, so that all that is on topic is there at the end
            return _ACCOUNT % (number + 1, account + 10**6, now, account + 10**6, now)
        if roll < 0.08:
            return _COMMIT % (number + 1, account, now, now, number, b"delete", self._dice.randrange(number + 1), b"")
        text, on_topic = self._texts[number % DISTINCT]
        self.sent.posts += 1
        self.sent.on_topic += on_topic
        record = _RECORD % (now, msgspec.json.encode(f"{text} {number}"))
        return _COMMIT % (number + 1, account, now, now, number, b"update" if roll < 0.1 else b"create", number, record)


def _now() -> bytes:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


async def main(seconds: float, rate: float) -> None:
    feed = Feed(seconds, rate)
    app = web.Application()
    app.router.add_get("/xrpc/network.bsky.jetstream.subscribeEvents", feed.subscribe)
    app.router.add_get("/xrpc/network.bsky.jetstream.getZstdDictionary", feed.give_dictionary)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await feed.over.wait()
    print(msgspec.json.encode(feed.sent).decode(), flush=True)
    await asyncio.Event().wait()  # until it is ended


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), float(sys.argv[2])))
