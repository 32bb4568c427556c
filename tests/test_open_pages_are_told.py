"""What open pages hear of deliveries, by the stream's signals, and by which way an endpoint is sent to."""

from __future__ import annotations

import asyncio

import pytest

from monitor.settings.endpoint import Endpoint
from monitor.stream import Signal, Stream
from tests.receiver import SECRET
from workers.deliver.apprise import Apprise
from workers.deliver.channels import open_channel
from workers.deliver.telling import Telling
from workers.deliver.webhook import Webhook

HOOK = Endpoint(name="hook", kind="webhook", url="https://e.test", secret=[SECRET])
CHAT = Endpoint(name="chat", kind="apprise", url="json://e.test")


async def test_pages_are_told_once_of_each_endpoint_however_many_were_tried(stream: Stream) -> None:
    telling, stop = Telling(stream), asyncio.Event()
    heard = stream.signals(await stream.signal_position())
    for endpoint in ("hook", "chat", "hook"):
        telling.tried(endpoint)
    stop.set()
    await telling.run(stop)
    await stream.signal(Signal("mention", "m_1"))
    told = [await anext(heard) for _ in range(3)]
    assert [(signal.kind, signal.id) for signal in told] == [("delivery", "chat"), ("delivery", "hook"), ("mention", "m_1")]
    await heard.aclose()


@pytest.mark.parametrize(("endpoint", "way"), [(HOOK, Webhook), (CHAT, Apprise)])
async def test_a_hook_is_sent_to_by_http_and_a_chat_through_apprise(endpoint: Endpoint, way: type) -> None:
    channel = open_channel(endpoint, connections=1)
    assert isinstance(channel, way)
    await channel.close()
