"""A Mastodon server: hashtags' timelines paged as Mastodon does, streams of both transports, statuses one by one."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
from typing import Any

from aiohttp import web

from tests.standins.scripted import Reply, ScriptedServer

START_MS = 1_790_000_000_000
TOKEN = "user-token"
Status = dict[str, Any]


class MastodonServer(ScriptedServer):
    """`statuses` by id, in their order; `post`, `edit` and `delete` change them and tell those who listen.

    `name` is the server's own domain. `pages` holds fixed replies for paths; `stream_replies` refuses the next streams.
    """

    def __init__(self, name: str = "one.test", host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.name = name
        self.statuses: dict[int, Status] = {}
        self.pages: dict[str, Reply] = {}
        self.stream_replies: list[Reply] = []
        self.token = TOKEN
        self.tell = True  # whether streams carry what is new
        self.private = False  # whether timelines want a token
        self.description: dict[str, Any] = {"configuration": {"urls": {}}}
        self.listening: list[tuple[str, str, asyncio.Queue[bytes | None]]] = []
        self._time = START_MS

    def post(
        self, content: str, *, tag: str = "glow", after_s: float = 60.0, at_ms: int | None = None, acct: str = "ann", **more: Any
    ) -> Status:
        """A new status; with `at_ms` one that comes late from elsewhere, and stands where its time is."""
        self._time += round(after_s * 1000)
        made = at_ms or self._time
        id_ = (made << 16) + len(self.statuses)
        url = f"https://{self.name}/@{acct}/{id_}"
        status = {
            "id": str(id_),
            "uri": f"https://{self.name}/users/{acct}/statuses/{id_}",
            "url": url,
            "created_at": dt.datetime.fromtimestamp(made / 1000, dt.UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "edited_at": None,
            "visibility": "public",
            "language": "en",
            "spoiler_text": "",
            "reblog": None,
            "content": f"<p>{content}</p>",
            "account": {"id": "7", "acct": acct, "url": f"https://{self.name}/@{acct}"},
            "tags": [{"name": tag}],
        } | more
        self.statuses[id_] = status
        if self.tell:
            self.say("update", json.dumps(status), tag)
        return status

    def edit(self, status: Status, content: str, at: str = "2026-11-22T12:00:00.000Z") -> Status:
        """The status as it is after an edit."""
        status |= {"content": f"<p>{content}</p>", "edited_at": at}
        if self.tell:
            self.say("status.update", json.dumps(status), status["tags"][0]["name"])
        return status

    def delete(self, status: Status) -> None:
        """Takes it away, and tells its bare id."""
        del self.statuses[int(status["id"])]
        self.say("delete", status["id"], status["tags"][0]["name"])

    def say(self, event: str, data: str, tag: str = "glow") -> None:
        """Streams an event to those who listen to the hashtag."""
        for wanted, transport, queue in self.listening:
            if wanted == tag:
                message = json.dumps({"stream": ["hashtag"], "event": event, "payload": data})
                queue.put_nowait(message.encode() if transport == "websocket" else f"event: {event}\ndata: {data}\n\n".encode())

    def raw(self, data: bytes | None) -> None:
        """Streams bytes as they are; None ends every stream."""
        for _, _, queue in self.listening:
            queue.put_nowait(data)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Whatever Mastodon has at the path."""
        path = request.path
        if path in self.pages:
            return await self.send(request, self.pages[path])
        if path == "/api/v2/instance":
            return web.json_response(self.description)
        if path.startswith("/api/v1/streaming"):
            return await self._stream(request)
        authorized = request.headers.get("Authorization", "")
        if authorized not in ("", f"Bearer {self.token}") or (self.private and not authorized):
            return web.json_response({"error": "The access token is invalid"}, status=401)
        if path.startswith("/api/v1/timelines/tag/"):
            return self._timeline(request)
        found = self.statuses.get(int(path.rpartition("/")[2])) if path.startswith("/api/v1/statuses/") else None
        return web.json_response(found) if found else web.json_response({"error": "Record not found"}, status=404)

    def _timeline(self, request: web.Request) -> web.Response:
        tags = {request.path.rpartition("/")[2], *request.query.getall("any[]", [])}
        limit, min_id = min(40, int(request.query.get("limit", 20))), request.query.get("min_id")
        ids = sorted(id_ for id_, one in self.statuses.items() if one["tags"][0]["name"] in tags)
        page = [id_ for id_ in ids if id_ > int(min_id)][:limit] if min_id is not None else ids[-limit:]
        headers = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "299", "X-RateLimit-Reset": "2036-01-01T00:00:00.000Z"}
        if page:
            here = f"{self.origin}{request.path}?limit={limit}"
            headers["Link"] = f'<{here}&max_id={page[0]}>; rel="next", <{here}&min_id={page[-1]}>; rel="prev"'
        return web.json_response([self.statuses[id_] for id_ in reversed(page)], headers=headers)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self.stream_replies:
            return await self.send(request, self.stream_replies.pop(0))
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "Missing access token"}, status=401)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        transport = "websocket" if request.path == "/api/v1/streaming" else "sse"
        entry = (request.query["tag"], transport, queue)
        socket = web.WebSocketResponse() if transport == "websocket" else None
        response = socket or web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if socket is None:
            await response.write(b":)\n")  # type: ignore[union-attr]
        self.listening.append(entry)
        try:
            with contextlib.suppress(ConnectionError):
                while (data := await queue.get()) is not None:
                    if socket is not None:
                        await socket.send_str(data.decode())
                    else:
                        await response.write(data)  # type: ignore[union-attr]
                if socket is not None:
                    await socket.close()
        finally:
            if entry in self.listening:
                self.listening.remove(entry)
        return response
