"""Endpoints of `kind = "apprise"`: through the same queue, log and retries, to real servers on this machine."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from apprise.manager_plugins import NotificationManager
from click.testing import CliRunner

from monitor.cli import cli
from monitor.settings import Settings, SettingsError, load
from monitor.settings.endpoint import Endpoint
from monitor.store import Database
from tests.delivering import Clock, logged, raise_claim, sender
from tests.standins.smtp_server import MailServer
from tests.test_as_sent import HOSTILE
from tests.test_message import event
from tests.test_store import NOW
from workers.deliver.apprise import LOCAL, Apprise
from workers.deliver.message import units
from workers.deliver.schedule import WAITS

BODY = json.dumps({"type": "test", "data": {"alert_id": "a_1", "endpoint": {"name": "chat"}}}).encode()


class Chat:
    """What Apprise's `json://` posts to: keeps it, and answers as told."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.answer: Any = lambda: web.Response(text="ok")
        self.port = 0

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.kept.append(await request.json())
        self.asked.set()
        answer = self.answer
        return await answer(request) if asyncio.iscoroutinefunction(answer) else answer()

    def endpoint(self, **more: Any) -> Endpoint:
        values: dict[str, Any] = {"url": f"json://user:hush@127.0.0.1:{self.port}/hush", "allow_private": True}
        return Endpoint(name="chat", kind="apprise", **(values | more))


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    chat = Chat()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", chat.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    chat.port = runner.addresses[0][1]
    yield chat
    await runner.cleanup()


@pytest.fixture(params=["sqlite"])
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.sqlite"


async def sent(endpoint: Endpoint, timeout_s: float = 15.0) -> Any:
    channel = Apprise(endpoint, timeout_s=timeout_s)
    try:
        return await channel.send("msg_1", BODY, NOW)
    finally:
        await channel.close()


async def test_an_alert_arrives_as_a_message_and_a_failure_is_tried_again(database: Database, clock: Clock, chat: Chat) -> None:
    await raise_claim(database, 1, "chat")
    sending = sender(database, clock, chat.endpoint())
    chat.answer = lambda: web.Response(status=500, text="broken")
    with structlog.testing.capture_logs() as logs:
        assert await sending.flush() == 1
        clock.now += WAITS[0]
        chat.answer = lambda: web.Response(text="ok")
        assert await sending.flush() == 1
    (delivery,) = await logged(database)
    tried = [(one.status, one.error, one.answer) for one in delivery.attempts]
    assert (delivery.state, tried) == ("delivered", [(500, "answered 500", "broken"), (200, None, "ok")])
    message = chat.kept[-1]
    assert message["title"] == "New contradicted claim on reddit"
    assert message["message"].splitlines()[:3] == [
        "Claim: Claim claim-1.",
        "Verdict: contradicted (US contradicted), by the register of evidence",
        "Quote: “claim 1”",
    ]
    assert "hush" not in str(logs) + str(delivery)


async def test_a_hostile_post_arrives_within_what_the_chat_takes(chat: Chat) -> None:
    """Mattermost's way, which can be pointed at any host."""
    for quote in HOSTILE.values():
        channel = Apprise(chat.endpoint(url=f"mmost://127.0.0.1:{chat.port}/3ccdd113474722377935511fc85d3dd4"), timeout_s=15)
        try:
            answer = await channel.send("msg_1", json.dumps(event(quote=quote)).encode(), NOW)
        finally:
            await channel.close()
        text = chat.kept[-1]["text"]
        assert answer.delivered, answer
        assert 3_600 < units(text) <= 4_000
        assert "@\u200beveryone" in text or "@" not in text
    assert len(chat.kept) == len(HOSTILE)


async def test_chat_messages_go_out_one_a_second_and_one_at_a_time(database: Database, clock: Clock, chat: Chat) -> None:
    for n in range(3):
        await raise_claim(database, n, "chat")
    sending = sender(database, clock, chat.endpoint())
    counts = []
    for _ in range(4):
        counts.append(await sending.flush())
        clock.now += 1_000
    assert counts == [1, 1, 1, 0]


async def test_a_redirect_is_not_followed(chat: Chat) -> None:
    chat.answer = lambda: web.Response(status=302, headers={"Location": f"http://127.0.0.1:{chat.port}/elsewhere"})
    answer = await sent(chat.endpoint())
    assert (answer.delivered, answer.status, len(chat.kept)) == (False, 302, 1)
    assert "never followed" in answer.error


async def test_retry_after_and_gone_are_seen(chat: Chat) -> None:
    chat.answer = lambda: web.Response(status=429, headers={"Retry-After": "77"})
    assert ((one := await sent(chat.endpoint())).status, one.retry_after) == (429, "77")
    chat.answer = lambda: web.Response(status=410)
    assert (await sent(chat.endpoint())).status == 410


async def test_an_endless_answer_is_not_read_to_its_end(chat: Chat) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 8_192)

    chat.answer = endless
    answer = await sent(chat.endpoint())
    assert (answer.delivered, answer.status, len(answer.text)) == (True, 200, 1_024)


async def test_a_service_that_does_not_answer_is_ended_in_time_and_the_next_message_goes_out(chat: Chat) -> None:
    never = asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    chat.answer = silent
    channel = Apprise(chat.endpoint(url=f"json://127.0.0.1:{chat.port}/?rto=60"), timeout_s=5.0)
    answer = await channel.send("msg_1", BODY, NOW)
    assert (answer.delivered, answer.status, answer.error) == (False, None, "no answer within 5 s")
    assert chat.asked.is_set(), "it was asked"
    never.set()
    chat.answer = web.Response
    assert (await channel.send("msg_2", BODY, NOW)).delivered
    await channel.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("json://127.0.0.1:{port}/hush", "plain HTTP"),
        ("jsons://127.0.0.1:{port}/hush", "not public"),
        ("jsons://localhost:{port}/hush", "not public"),
        ("jsons://2130706433:{port}/hush", "not public"),
        ("mailtos://user:hush@127.0.0.1:{port}/?from=a@b.example&to=c@d.example&smtp=127.0.0.1", "not public"),
        ("syslog://", "this machine"),
        ("SYSLOG://local0?hush", "this machine"),
        ("dbus://", "this machine"),
        ("gnome://", "this machine"),
        ("windows://", "this machine"),
        ("macosx://", "this machine"),
        ("rsyslog://127.0.0.1:{port}/local7", "not public"),
        ("rsyslog://8.8.8.8:{port}/local7", "neither HTTPS nor mail"),
        ("irc://hush@127.0.0.1:{port}/channel", "not public"),
        ("mqtt://hush@127.0.0.1:{port}/topic", ""),
        ("nonsense://hush", "no address of a service"),
    ],
)
async def test_a_private_address_is_refused(chat: Chat, url: str, said: str) -> None:
    answer = await sent(chat.endpoint(url=url.format(port=chat.port), allow_private=False))
    assert (answer.delivered, chat.kept) == (False, [])
    assert said in (answer.error or "")
    assert "hush" not in str(answer)


def test_every_service_without_an_address_is_known_as_one_of_this_machine() -> None:
    services = NotificationManager()
    bare = {name for name in services.schemas() if "{schema}://" in services[name].templates}
    assert bare == LOCAL


async def test_the_helper_itself_lets_nothing_out_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the list of such services were not complete."""
    monkeypatch.setattr("workers.deliver.apprise.LOCAL", frozenset())
    answer = await sent(Endpoint(name="log", kind="apprise", url="syslog://"))
    assert (answer.delivered, "this machine" in (answer.error or "")) == (False, True)


def test_check_sends_a_chat_nothing_and_refuses_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "monitor.toml"
    named = "".join(
        f'[[endpoint]]\nname = "{name}"\nkind = "apprise"\nurl = "{url}"\n'
        for name, url in (("desk", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"), ("log", "syslog://"))
    )
    file.write_text(f'data_dir = "{tmp_path}/var"\n{named}')
    checked = CliRunner().invoke(cli, ["check", "--config", str(file)])
    shown = {line.partition(": ")[0]: line for line in checked.output.splitlines()}
    assert checked.exit_code == 1
    assert "ok     endpoint desk" in shown
    assert "allow_private" in shown["FAILED endpoint log"]


async def test_with_leave_the_log_of_this_machine_takes_it() -> None:
    assert (await sent(Endpoint(name="log", kind="apprise", url="syslog://", allow_private=True))).delivered


async def test_the_proxy_of_the_environment_is_not_used(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await sent(chat.endpoint())).delivered


async def test_mail_arrives_and_a_refusal_is_told() -> None:
    async with MailServer() as mail:
        url = f"mailto://127.0.0.1:{mail.port}/?from=exowatch@example.org&to=desk@example.org&mode=insecure"
        endpoint = Endpoint(name="desk", kind="apprise", url=url, allow_private=True)
        answer = await sent(endpoint)
        assert (answer.delivered, answer.status, answer.error) == (True, None, None)
        (message,) = mail.kept
        assert (message["to"], message["subject"]) == ("desk@example.org", "A test of the endpoint chat")
        text = message.get_body(("plain",))
        assert text is not None
        assert "Alert: a_1" in text.get_content()
        mail.refusal = "550 no such desk"
        answer = await sent(endpoint)
        assert (answer.delivered, answer.status) == (False, None)
        assert "550" in answer.error


async def test_nothing_of_the_address_stays_behind(chat: Chat) -> None:
    assert "hush" not in repr(chat.endpoint())
    channel = Apprise(chat.endpoint(), timeout_s=15)
    await channel.send("msg_1", BODY, NOW)
    (helper,) = [one for one in _children() if b"apprise_helper" in one[1]]
    assert b"hush" not in helper[1] + Path(f"/proc/{helper[0]}/environ").read_bytes()
    await channel.close()
    assert not [one for one in _children() if b"apprise_helper" in one[1]]


def _children() -> list[tuple[int, bytes]]:
    numbers = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [(int(number), Path(f"/proc/{number}/cmdline").read_bytes()) for number in numbers]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('url = "slack://a b"', "no blanks"),
        ('url = "hush-hush"', "starts with the name of a service"),
        ('url = "slack://hush"\nsecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"', "secret is for"),
        ('url = "slack://hush"\nthin = true', "thin is for"),
        ('url = "slack://hush"\nformat = "cloudevents"', "format is for"),
        ('url = "env:NO_SUCH_VARIABLE"', "NO_SUCH_VARIABLE is not set"),
    ],
)
def test_what_is_wrong_in_the_settings_is_said_without_the_address(tmp_path: Path, lines: str, said: str) -> None:
    file = tmp_path / "monitor.toml"
    file.write_text(f'[[endpoint]]\nname = "chat"\nkind = "apprise"\n{lines}\n')
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert said in str(caught.value)
    assert "hush" not in str(caught.value)


def test_the_address_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT", "slack://hush")
    file = tmp_path / "monitor.toml"
    file.write_text('[[endpoint]]\nname = "chat"\nkind = "apprise"\nurl = "env:CHAT"\n')
    settings: Settings = load(file)
    assert settings.endpoint[0].url == "slack://hush"
    assert "hush" not in repr(settings)
