"""The process behind a chat or a mailbox: what it is given, and when it is ended and started anew."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from monitor.settings.endpoint import Endpoint
from tests.test_apprise import BODY, Chat, _children, chat, sent
from tests.test_store import NOW
from workers.deliver import apprise
from workers.deliver.apprise import LOCAL, Apprise, url_problem
from workers.deliver.schedule import Answer

__all__ = ["chat"]


def helpers() -> list[int]:
    return [number for number, command in _children() if b"apprise_helper" in command]


async def until(true: Any) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("service", sorted(LOCAL))
def test_services_of_this_machine_need_leave(service: str) -> None:
    problem = f"{service}:// speaks to this machine itself: set allow_private = true if that is meant"
    for url in (f"{service}://", f"{service.upper()}://a:b@c"):
        assert url_problem(Endpoint(name="chat", kind="apprise", url=url)) == problem
        assert url_problem(Endpoint(name="chat", kind="apprise", url=url, allow_private=True)) is None


def test_of_any_other_only_a_try_can_say() -> None:
    assert url_problem(Endpoint(name="chat", kind="apprise", url="slack://syslog")) is None


async def test_what_cannot_be_sent_at_all_is_said_without_a_try(monkeypatch: pytest.MonkeyPatch) -> None:
    local = Endpoint(name="log", kind="apprise", url="syslog://")
    assert await sent(local) == Answer(ms=0, error=url_problem(local))
    monkeypatch.setattr(apprise, "find_spec", lambda name: None if name == "apprise" else name)
    lacking = 'kind = "apprise" needs the package apprise: install exowatch from its lock file again'
    assert await sent(Endpoint(name="chat", kind="apprise", url="slack://a")) == Answer(ms=0, error=lacking)
    assert helpers() == []


async def test_an_answer_is_told_whole_and_one_process_serves_all_messages(chat: Chat) -> None:
    channel = Apprise(chat.endpoint(), timeout_s=30)
    try:
        chat.answer = lambda: web.Response(status=429, text="a\tb\x00c\x7f", headers={"Retry-After": "7"})
        first = await channel.send("msg_1", BODY, NOW)
        assert first == Answer(
            ms=first.ms, status=429, error="answered 429", text="a\tb\ufffdc\ufffd", retry_after="7", taken=False
        )
        assert 0 < first.ms < 30_000
        (process,) = helpers()
        chat.answer = lambda: web.Response(status=204)
        second = await channel.send("msg_2", BODY, NOW)
        assert second == Answer(ms=second.ms, status=204, text="", taken=True)
        assert helpers() == [process]
    finally:
        await channel.close()
    assert helpers() == []


async def test_a_process_that_ends_is_told_and_the_next_message_has_another(chat: Chat) -> None:
    channel = Apprise(chat.endpoint(), timeout_s=30)
    try:
        broken = await channel.send("msg_1", b"nonsense", NOW)
        assert broken == Answer(ms=broken.ms, error="the helper process ended while it was sending", taken=False)
        assert helpers() == []
        assert (await channel.send("msg_2", BODY, NOW)).delivered
        (process,) = helpers()
        os.kill(process, 9)
        await until(lambda: channel._helper is None or channel._helper.returncode is not None)
        assert (await channel.send("msg_3", BODY, NOW)).delivered, "also where it died in between"
    finally:
        await channel.close()
    assert len(chat.kept) == 2


async def test_one_that_still_reads_an_endless_answer_is_ended_and_followed_by_another(chat: Chat) -> None:
    never = asyncio.Event()

    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        await never.wait()
        return response

    chat.answer = slowly
    channel = Apprise(chat.endpoint(), timeout_s=30)
    try:
        answer = await channel.send("msg_1", BODY, NOW)
        assert answer == Answer(ms=answer.ms, status=200, text="begun", taken=True)
        assert helpers() == []
        never.set()
        chat.answer = lambda: web.Response(text="ok")
        assert (await channel.send("msg_2", BODY, NOW)).delivered
    finally:
        await channel.close()


async def test_a_process_with_nothing_to_do_gives_its_memory_back(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apprise, "_IDLE_S", 0.05)
    channel = Apprise(chat.endpoint(), timeout_s=30)
    try:
        for number in (1, 2):
            assert (await channel.send(f"msg_{number}", BODY, NOW)).delivered
            await until(lambda: helpers() == [])
    finally:
        await channel.close()
    assert len(chat.kept) == 2


async def test_a_process_is_given_what_it_needs_of_the_environment_and_nothing_else(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "hush")
    monkeypatch.setenv("TZ", "UTC")
    channel = Apprise(chat.endpoint(), timeout_s=30)
    try:
        assert (await channel.send("msg_1", json.dumps({"type": "test", "data": {}}).encode(), NOW)).delivered
        (process,) = helpers()
        given = Path(f"/proc/{process}/environ").read_bytes().decode().rstrip("\0").split("\0")
    finally:
        await channel.close()
    known = dict(line.split("=", 1) for line in given)
    assert (known["HOME"], known["NETRC"], known["TZ"]) == ("/dev/null", "/dev/null", "UTC")
    assert known["PATH"] == os.environ["PATH"]
    assert "SOME_TOKEN" not in known
    assert "hush" not in str(known)
