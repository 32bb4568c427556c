"""Live events: what is stored arrives, in order, filtered, and goes on where the listener left off."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from monitor.api import live
from monitor.ids import public_id
from monitor.store import Database
from monitor.stream import Signal
from monitor.times import rfc3339
from tests.api_server import ENDPOINT, Api, serving
from tests.samples import judged, occurrence, write


async def store(api: Api, key: str, n: int, **more: Any) -> None:
    """Stores a post with a claim of its own and says so, as a worker does."""
    text = f"number {key} cures all"
    result = await write(api.database, judged(key, text, occurrence(text, "cures all", key, **more), n=n))
    signals = [Signal("mention", public_id("m", number)) for number in result.stored]
    await api.stream.signal(*signals, *(Signal("alert", public_id("a", number)) for number in result.alerts))


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The events of an answer, each with its `event`, `id` and `data`."""
    fields: dict[str, Any] = {}
    async for line in answer.content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if not name and not value and "data" in fields:
            yield {**fields, "data": json.loads(fields["data"])}
        if not name and not value:
            fields = {}
        elif name:
            fields[name] = value


async def take(answer: aiohttp.ClientResponse, count: int) -> list[dict[str, Any]]:
    """The next events."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        async for event in events(answer):
            found.append(event)
            if len(found) == count:
                return found
    raise AssertionError(f"the connection ended after {found}")


async def test_what_is_stored_arrives_as_the_lists_give_it(api: Api) -> None:
    async with api.client.get(api.url + "/live") as answer:
        assert answer.content_type == "text/event-stream"
        await store(api, "a", 1)
        mention, alert = await take(answer, 2)
    assert [mention["event"], alert["event"]] == ["mention", "alert"]
    assert (await api.get(f"/api/v1/mentions/{mention['data']['id']}"))[1] == mention["data"]
    assert (await api.get("/api/v1/alerts"))[1]["items"] == [alert["data"]]


async def test_a_test_alert_arrives_too(api: Api) -> None:
    async with api.client.get(api.url + "/live?event=alert") as answer:
        _, delivery = await api.post(f"/api/v1/endpoints/{ENDPOINT['name']}/test")
        (event,) = await take(answer, 1)
    assert (event["data"]["id"], event["data"]["kind"]) == (delivery["alert_id"], "test")


async def test_a_listener_goes_on_after_the_last_event_it_had(api: Api) -> None:
    async with api.client.get(api.url + "/live?event=mention") as answer:
        await store(api, "a", 1)
        (first,) = await take(answer, 1)
    await store(api, "b", 2)
    await store(api, "c", 3)
    async with api.client.get(api.url + "/live?event=mention", headers={"Last-Event-ID": first["id"]}) as answer:
        missed = await take(answer, 2)
    assert [event["data"]["platform_id"] for event in missed] == ["b", "c"]


async def test_filters_and_kinds_choose_what_arrives(api: Api) -> None:
    async with (
        api.client.get(api.url + "/live?type=safety") as safety,
        api.client.get(api.url + "/live?event=alert") as alerts,
        api.client.get(api.url + "/live?text=number&event=mention&platform=reddit&platform=x") as words,
    ):
        await store(api, "a", 1)
        await store(api, "b", 2, type="safety")
        by_type, by_kind, by_text = await take(safety, 2), await take(alerts, 2), await take(words, 2)
    assert [(event["event"], event["data"].get("platform_id")) for event in by_type] == [("mention", "b"), ("alert", None)]
    assert {event["event"] for event in by_kind} == {"alert"}
    assert [event["data"]["platform_id"] for event in by_text] == ["a", "b"]


async def test_silence_is_filled_with_heartbeats(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.05)
    async with api.client.get(api.url + "/live") as answer, asyncio.timeout(10):
        beats = 0
        async for line in answer.content:
            beats += line == b":\n"
            if beats == 3:
                break


async def test_a_listener_that_takes_nothing_is_dropped(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE_S", 0.3)
    host, _, port = api.url.removeprefix("http://").partition(":")
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect((host, int(port)))
        lazy.sendall(f"GET /live HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await asyncio.to_thread(lazy.recv, 1000)
        await write(api.database, judged("long", "exosome " * 12_000))
        _, page = await api.get("/api/v1/mentions")
        signals = [Signal("mention", page["items"][0]["id"])] * 100  # ten megabytes, more than sockets hold
        await api.stream.signal(*signals)
        async with asyncio.timeout(60):
            while api.app[live.CLIENTS]:
                await asyncio.sleep(0.02)
    assert (await api.get("/api/v1/mentions"))[0] == 200


async def test_no_more_listeners_than_the_server_can_feed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_CLIENTS", 1)
    async with api.client.get(api.url + "/live"):
        assert (await api.get("/live"))[0] == 503


async def test_the_server_closes_although_somebody_listens(database: Database, redis_url: str) -> None:
    async with asyncio.timeout(10), serving(database, redis_url) as api, aiohttp.ClientSession() as other:
        answer = await other.get(api.url + "/live")
        assert answer.status == 200


async def lines_until(answer: aiohttp.ClientResponse, end: bytes) -> list[bytes]:
    """The lines of an answer up to one that begins so."""
    found: list[bytes] = []
    async with asyncio.timeout(20):
        async for line in answer.content:
            found.append(line.rstrip(b"\n"))
            if line.startswith(end):
                return found
    raise AssertionError(f"the connection ended after {found}")


async def test_a_listener_to_whom_nothing_was_sent_comes_back_to_where_it_was(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.05)
    await store(api, "a", 1)
    async with api.client.get(api.url + "/live?type=safety") as answer:
        began = await lines_until(answer, b"id: ")
        await store(api, "b", 2)  # is not for this listener, which learns that it is past it
        position = await api.stream.signal_position()
        await lines_until(answer, b"id: " + position.encode())
    assert began[-1] != b"id: " + position.encode()
    await store(api, "c", 3, type="safety")
    async with api.client.get(api.url + "/live?event=mention", headers={"Last-Event-ID": began[-1][4:].decode()}) as answer:
        assert [event["data"]["platform_id"] for event in await take(answer, 2)] == ["b", "c"]
    async with api.client.get(api.url + "/live?event=mention", headers={"Last-Event-ID": position}) as answer:
        assert [event["data"]["platform_id"] for event in await take(answer, 1)] == ["c"]


async def test_who_comes_back_too_late_is_told_from_when_to_look_and_gets_what_is_kept(api: Api) -> None:
    await store(api, "a", 1)
    position = await api.stream.signal_position()
    for _ in range(11):
        await api.stream.signal(*[Signal("claim", "c_none")] * 1_000)
    await store(api, "b", 2)
    async with api.client.get(api.url + "/live?event=mention", headers={"Last-Event-ID": position}) as answer:
        gap, mention = await take(answer, 2)
    assert (gap["event"], gap["data"]["since"]) == ("gap", rfc3339(int(position.partition("-")[0])))
    assert (mention["event"], mention["data"]["platform_id"]) == ("mention", "b")


async def test_a_position_that_the_server_never_reached_is_a_gap_too(api: Api) -> None:
    async with api.client.get(api.url + "/live", headers={"Last-Event-ID": "9999999999999-0"}) as answer:
        (gap,) = await take(answer, 1)
        await store(api, "a", 1)
        (mention, _) = await take(answer, 2)
    assert (gap["event"], mention["data"]["platform_id"]) == ("gap", "a")
