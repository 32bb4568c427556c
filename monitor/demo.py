"""The demo: a bundled sample of posts through the real pipeline, with a receiver on this machine that checks every signature."""

from __future__ import annotations

import asyncio
import json
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from monitor.daemon import Daemon
from monitor.intake import Offered, post_from
from monitor.pause import pause
from monitor.settings import Api, Endpoint, Settings
from monitor.words import Post

Show = Callable[[dict[str, Any]], None]


class Receiver:
    """A webhook receiver as a user would write one: it believes nothing that is not signed with its secret."""

    def __init__(self, show: Show) -> None:
        self.secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
        self.received = 0
        self.refused = 0
        self.url = ""
        self._show = show

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Receiver]:
        """Listens on a free port of this machine; `url` says where."""
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
            yield self
        finally:
            await runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.text()
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return web.Response(status=401)
        self.received += 1
        self._show(json.loads(body))
        return web.Response(status=204)


class _DemoSettings(Settings):
    """Settings of this module alone: a demo must not write into the database that the environment names."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def demo_settings(data_dir: Path, topic: str, receiver: Receiver) -> Settings:
    """Settings of a daemon without sources that tells the receiver everything."""
    endpoint = Endpoint(
        name="demo-receiver", kind="webhook", url=receiver.url, secret=[SecretStr(receiver.secret)], allow_private=True
    )
    return _DemoSettings(data_dir=data_dir, topic=topic, api=Api(port=0), endpoint=[endpoint])


def sample_posts(folder: Path) -> list[Post]:
    """The posts of a topic pack's `sample.jsonl`. Raises OSError, PostError."""
    lines = (folder / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    return [post_from(json.loads(line)) for line in lines if line.strip()]


async def play(
    daemon: Daemon, posts: list[Post], pause_s: float, progress: Callable[[int], None], stop: asyncio.Event
) -> Offered:
    """Offers the posts one by one at a pace that can be watched; `progress` is told how many are through."""
    offered = Offered()
    for number, post in enumerate(posts, start=1):
        if stop.is_set():
            break
        offered += await daemon.intake.offer([post], source="demo")
        progress(number)
        await pause(stop, pause_s)
    return offered
