"""A source of kind reddit on the stand-in, for the tests that poll it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from monitor.collectors import open_collector
from monitor.collectors.base import Collector
from monitor.settings import RedditSource
from tests.standins.reddit_server import CLIENT_ID, CLIENT_SECRET, RedditServer

JSON = {"Content-Type": "application/json; charset=UTF-8"}
HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.fixture
async def reddit() -> AsyncIterator[RedditServer]:
    async with RedditServer() as server:
        yield server


def source(origin: str, **other: Any) -> RedditSource:
    values = {"name": "skin", "subreddits": ["A_b", "Cc"], "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "interval": 60}
    return RedditSource(kind="reddit", base_url=origin, **(values | other))


@pytest.fixture
async def collector(reddit: RedditServer) -> AsyncIterator[Collector]:
    made = open_collector(source(reddit.origin))
    yield made
    await made.close()


def burst(reddit: RedditServer, count: int, label: str = "post") -> list[str]:
    return [reddit.add_post("Cc", title=f"{label} {number}") for number in range(count)]
