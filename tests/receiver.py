"""A webhook receiver on a free port of loopback.

It verifies every delivery with the `standardwebhooks` library, keeps what it got, and answers as the test scripts it.

    async with Receiver(secret) as receiver:
        receiver.script(status(500), retry_after(429, "120"))   # then 204 for ever
        ...
        await receiver.got(3)
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import standardwebhooks
from aiohttp import web
from pydantic import SecretStr

from monitor.settings.endpoint import Endpoint

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


class _Webhook(standardwebhooks.Webhook):
    """The library's verification, with its five minutes reckoned from the test's clock instead of the machine's."""

    def __init__(self, secret: str, clock: Callable[[], int]) -> None:
        super().__init__(secret)
        self._clock = clock

    def _Webhook__verify_timestamp(self, header: str) -> dt.datetime:  # noqa: N802 - the library's private name
        moment = dt.datetime.fromtimestamp(int(header), dt.UTC)
        if abs(moment.timestamp() - self._clock() / 1000) > 300:
            raise standardwebhooks.WebhookVerificationError("Message timestamp too old or too new")
        return moment


class Got:
    """One delivery that came in, verified."""

    def __init__(self, request: web.Request, raw: bytes, event: dict[str, Any]) -> None:
        self.id = request.headers["webhook-id"]
        self.timestamp = int(request.headers["webhook-timestamp"])
        self.headers = request.headers
        self.raw = raw
        self.event = event

    @property
    def quote(self) -> str:
        return str(self.event["data"]["occurrence"]["quote"])


class Receiver:
    """`kept` holds what came in verified, in order; `forged` counts what did not verify (answered 401)."""

    def __init__(self, secret: str = SECRET, clock: Callable[[], int] | None = None) -> None:
        self._webhook = _Webhook(secret, clock) if clock else standardwebhooks.Webhook(secret)
        self._script: deque[Behaviour] = deque()
        self._default: Behaviour = status(204)
        self._changed = asyncio.Condition()
        self.kept: list[Got] = []
        self.forged = 0
        self.port = 0

    def script(self, *behaviours: Behaviour) -> None:
        """What to answer next, one request each; then 204 again."""
        self._script.extend(behaviours)

    def always(self, behaviour: Behaviour) -> None:
        """What to answer whenever nothing is scripted."""
        self._default = behaviour

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def endpoint(self, name: str = "hook", **more: Any) -> Endpoint:
        """Settings of an endpoint that is this receiver."""
        values: dict[str, Any] = {"url": self.url, "secret": [SecretStr(SECRET)], "allow_private": True}
        return Endpoint(name=name, kind="webhook", **(values | more))

    async def got(self, number: int) -> list[Got]:
        """Waits until so many deliveries have come in, in all; those."""
        async with asyncio.timeout(120), self._changed:
            await self._changed.wait_for(lambda: len(self.kept) >= number)
        return self.kept[:number]

    async def __aenter__(self) -> Receiver:
        app = web.Application(client_max_size=10**6)
        app.router.add_post("/{tail:.*}", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            self._webhook.verify(raw, dict(request.headers), json_parse=False)
        except (standardwebhooks.WebhookVerificationError, ValueError):
            self.forged += 1
            return web.Response(status=401, text="the signature does not verify")
        async with self._changed:
            self.kept.append(Got(request, raw, json.loads(raw)))
            self._changed.notify_all()
        behaviour = self._script.popleft() if self._script else self._default
        return await behaviour(request)


def status(code: int, text: str = "", **headers: str) -> Behaviour:
    """A plain answer. Header names are written with _ for -."""

    async def behave(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return behave


def retry_after(code: int, value: str) -> Behaviour:
    return status(code, Retry_After=value)


def redirect(code: int, url: str) -> Behaviour:
    return status(code, Location=url)


def held(until: asyncio.Event, code: int = 204) -> Behaviour:
    """No answer until the event is set (slow headers)."""

    async def behave(_: web.Request) -> web.StreamResponse:
        await until.wait()
        return web.Response(status=code)

    return behave


def slow_body(until: asyncio.Event, code: int = 200) -> Behaviour:
    """The status at once, the end of the body only when the event is set."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=code)
        await response.prepare(request)
        await response.write(b"the beginning")
        await until.wait()
        return response

    return behave


def endless_body(written: list[int], code: int = 200) -> Behaviour:
    """A body that goes on as long as somebody reads; how many bytes were taken is added to `written`."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=code)
        await response.prepare(request)
        total = 0
        try:
            while True:
                await response.write(b"x" * 8_192)
                total += 8_192
        finally:
            written.append(total)

    return behave


def reset() -> Behaviour:
    """The connection is cut without an answer."""

    async def behave(request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    return behave
