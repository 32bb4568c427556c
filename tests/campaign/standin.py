"""The world outside, in a process of its own: sites with feeds, a stream of posts, and the receiver of alerts.

    python -m tests.campaign.standin SEED POSTS CLAIMS SOURCES START_MS RECEIPTS

Says the port on which it listens, then does what is said on its standard input, one order a line, and ends with it:

    release N        the first N posts of the talk are public from now on
    receiver MODE    up, 500 or slow

A feed shows the WINDOW posts that are public last, as sites do: what was lost can be fetched again for so long. The stream is a
Jetstream that goes back as far as it is asked to. The receiver verifies each delivery with the `standardwebhooks` library and
appends it to the file of receipts, synced to the disk before it answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import json
import os
import sys
from typing import Any, TextIO

import standardwebhooks
from aiohttp import WSMsgType, web

from tests.campaign.talk import Said, Talk, did, of_source
from tests.receiver import SECRET

WINDOW = 800  # posts that a feed shows
PING_S = 2.0
SLOW_S = 3.0
POSTS = "app.bsky.feed.post"


class World:
    """What is public, and who hears of it."""

    def __init__(self, talk: Talk, start_ms: int, receipts: TextIO) -> None:
        self._talk = talk
        self._start_ms = start_ms
        self._receipts = receipts
        self._webhook = standardwebhooks.Webhook(SECRET)
        self._sources = [of_source(talk.said, source) for source in range(talk.sources)]
        self._released = 0
        self._more = asyncio.Condition()
        self._listened = asyncio.Event()
        self.mode = "up"

    def app(self) -> web.Application:
        app = web.Application(client_max_size=10**6)
        app.router.add_get("/feed/{source:\\d+}.json", self._feed)
        app.router.add_get("/xrpc/network.bsky.jetstream.subscribeEvents", self._subscribe)
        app.router.add_get("/listening", self._listening)
        app.router.add_post("/hook", self._receive)
        return app

    async def release(self, posts: int) -> None:
        """Makes the first so many posts public."""
        self._released = posts
        async with self._more:
            self._more.notify_all()

    def _public(self, source: int) -> list[Said]:
        return [post for post in self._sources[source] if post.n < self._released]

    async def _feed(self, request: web.Request) -> web.Response:
        posts = self._public(int(request.match_info["source"]))[-WINDOW:]
        items = [
            {
                "id": self._talk.name(post)[1],
                "content_text": post.text,
                "authors": [{"name": post.author}],
                "date_published": self._moment(post),
            }
            for post in reversed(posts)
        ]
        feed = {"version": "https://jsonfeed.org/version/1.1", "title": "A forum", "language": "en", "items": items}
        body = json.dumps(feed).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.Response(body=body, headers={"Content-Type": "application/feed+json", "ETag": etag})

    async def _listening(self, _: web.Request) -> web.Response:
        """Answers once somebody listens to the stream."""
        await self._listened.wait()
        return web.Response(status=204)

    async def _subscribe(self, request: web.Request) -> web.WebSocketResponse:
        events, cursor = self._sources[-1], int(request.query.get("cursor", 0))
        if not cursor:
            at = len(self._public(-1))
        elif cursor < 10**15:
            at = cursor - 1  # that event once more, so that the other side sees that it was put at the right place
        else:
            at = next((n for n, post in enumerate(events) if self._us(post) >= cursor), len(events))
        socket = web.WebSocketResponse(autoping=False, compress=False)
        await socket.prepare(request)
        gone = asyncio.create_task(_until_gone(socket))
        self._listened.set()
        with contextlib.suppress(ConnectionError):
            while not gone.done():
                while at < len(self._public(-1)) and not gone.done():
                    await socket.send_str(self._frame(at))
                    at += 1
                try:
                    async with asyncio.timeout(PING_S), self._more:
                        await self._more.wait()
                except TimeoutError:
                    await socket.ping()
        gone.cancel()
        return socket

    def _frame(self, at: int) -> str:
        post = self._sources[-1][at]
        payload = {
            "$type": "network.bsky.jetstream.subscribeEvents#commit",
            "seq": at + 1,
            "did": did(post.author),
            "time": self._moment(post),
            "witnessedAt": self._moment(post),
            "rev": f"3m{post.n:010x}",
            "operation": "create",
            "collection": POSTS,
            "rkey": str(post.n),
            "record": {"$type": POSTS, "text": post.text, "langs": ["en"]},
        }
        return json.dumps({"$type": "message", "payload": payload})

    async def _receive(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if self.mode == "500":
            return web.Response(status=500, text="out of order")
        if self.mode == "slow":
            await asyncio.sleep(SLOW_S)
        try:
            self._webhook.verify(raw, dict(request.headers), json_parse=False)
        except (standardwebhooks.WebhookVerificationError, ValueError) as error:
            self._keep({"refused": str(error)})
            return web.Response(status=401, text="the signature does not verify")
        event: dict[str, Any] = json.loads(raw)
        self._keep({"webhook": request.headers["webhook-id"], "alert": event["data"]["alert_id"], "type": event["type"]})
        return web.Response(status=204)

    def _keep(self, receipt: dict[str, str]) -> None:
        self._receipts.write(json.dumps(receipt) + "\n")
        self._receipts.flush()
        os.fsync(self._receipts.fileno())

    def _us(self, post: Said) -> int:
        return (self._start_ms + post.n) * 1000

    def _moment(self, post: Said) -> str:
        return dt.datetime.fromtimestamp((self._start_ms + post.n) / 1000, dt.UTC).isoformat()


async def _until_gone(socket: web.WebSocketResponse) -> None:
    while (await socket.receive()).type is WSMsgType.PONG:
        pass


async def orders() -> asyncio.StreamReader:
    """What is said on standard input."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def serve(talk: Talk, start_ms: int, receipts: TextIO) -> None:
    world = World(talk, start_ms, receipts)
    runner = web.AppRunner(world.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    async for line in await orders():
        word, value = line.decode().split()
        if word == "release":
            await world.release(int(value))
        else:
            world.mode = value
    await runner.cleanup()


def main(seed: str, posts: str, claims: str, sources: str, start_ms: str, receipts: str) -> None:
    with open(receipts, "a") as file:  # noqa: PTH123 - one file for as long as the process lives
        asyncio.run(serve(Talk(int(seed), int(posts), int(claims), int(sources)), int(start_ms), file))


if __name__ == "__main__":
    main(*sys.argv[1:])
