"""What the process that sends messages lets out, and how it tells what a service answered."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import resource
import smtplib
import sys
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import requests
from aiohttp import web
from requests.adapters import HTTPAdapter

from tests.standins.smtp_server import MailServer
from tests.test_webhook_answers import nonsense, talking
from workers.deliver import apprise_helper
from workers.deliver.apprise_helper import RefusedError, Result, Task

EVENT = {"type": "test", "data": {"alert_id": "a_1", "endpoint": {"name": "chat"}}}
NOT_PUBLIC = "the host resolves to an address that is not public; set allow_private = true if that is meant"
NEITHER = "the service speaks neither HTTPS nor mail; set allow_private = true to use it all the same"
ITSELF = "the service speaks to this machine itself; set allow_private = true if that is meant"
IN_THE_CLEAR = "the mail server is spoken to in the clear; use mailtos://, or set allow_private = true"


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds in this process, as long as the test runs."""
    for owner, name in (
        (HTTPAdapter, "send"),
        (requests.Session, "get_redirect_target"),
        *((smtplib.SMTP, name) for name in ("connect", "getreply", "login", "sendmail")),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    apprise_helper._bound_http()
    apprise_helper._bound_mail()


@pytest.fixture
def strict() -> Iterator[None]:
    """As for an endpoint without leave for private addresses."""
    apprise_helper._seen.__init__()  # type: ignore[misc]
    yield
    apprise_helper._seen.__init__()  # type: ignore[misc]


async def sent(url: str, *, allow_private: bool = True) -> Result:
    return await asyncio.to_thread(apprise_helper.send, Task(url=url, allow_private=allow_private, event=EVENT))


class Service:
    """What `json://` posts to; the path says the status."""

    def __init__(self) -> None:
        self.kept: list[web.Request] = []
        self.bodies: list[dict[str, Any]] = []
        self.text = b"so"
        self.port = 0

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.kept.append(request)
        self.bodies.append(json.loads(await request.read()))
        headers = {"Retry-After": "77"} if request.path == "/429" else {"Location": "/200"}
        return web.Response(status=int(request.path[1:]), body=self.text, headers=headers)

    def url(self, status: int, scheme: str = "json") -> str:
        return f"{scheme}://127.0.0.1:{self.port}/{status}"


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", service.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.port = runner.addresses[0][1]
    yield service
    await runner.cleanup()


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, Result(True, 200, None, "so", None)),
        (204, Result(True, 204, None, "", None)),
        (299, Result(True, 299, None, "so", None)),
        (300, Result(False, 300, "answered 300, a redirect: they are never followed", "so", None)),
        (302, Result(False, 302, "answered 302, a redirect: they are never followed", "so", None)),
        (399, Result(False, 399, "answered 399, a redirect: they are never followed", "so", None)),
        (400, Result(False, 400, "answered 400", "so", None)),
        (429, Result(False, 429, "answered 429", "so", "77")),
        (500, Result(False, 500, "answered 500", "so", None)),
    ],
)
async def test_what_a_service_answered_is_told(service: Service, status: int, result: Result) -> None:
    assert await sent(service.url(status)) == result
    assert len(service.kept) == 1
    assert (service.bodies[0]["title"], service.bodies[0]["message"]) == ("A test of the endpoint chat", "Alert: a_1")
    assert service.kept[0].headers["Accept-Encoding"] == "identity"
    assert service.kept[0].headers["User-Agent"] == "exowatch"


@pytest.mark.usefixtures("bounded")
async def test_a_service_that_refuses_with_a_good_status_is_told(service: Service) -> None:
    """Slack's way: 200, and something else than `ok`."""
    service.text = b"no"
    url = f"mmost://127.0.0.1:{service.port}/3ccdd113474722377935511fc85d3dd4"
    assert (await sent(url)).taken is False
    assert apprise_helper._in_words(200) == "answered 200 and did not take it"
    assert apprise_helper._in_words(299) == "answered 299 and did not take it"
    assert apprise_helper._in_words(199) == "answered 199"
    assert apprise_helper._in_words(None) == "the service was not reached or did not take it"


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    ("text", "kept"),
    [(b"x" * 1_024, "x" * 1_024), (b"x" * 1_025, "x" * 1_024), (b"x" * 70_000, "x" * 1_024), (b"\xff!", "\ufffd!"), (b"", "")],
)
async def test_a_kilobyte_of_an_answer_is_kept(service: Service, text: bytes, kept: str) -> None:
    service.text = text
    assert await sent(service.url(200)) == Result(True, 200, None, kept, None)


@pytest.mark.usefixtures("bounded")
async def test_one_attempt_tells_nothing_of_the_one_before(service: Service) -> None:
    await sent(service.url(429))
    assert await sent("nonsense://hush") == Result(
        False, error="the url is no address of a service that Apprise knows; see its documentation"
    )
    assert await sent(service.url(200)) == Result(True, 200, None, "so", None)


@pytest.mark.usefixtures("bounded")
async def test_plain_http_needs_leave(service: Service) -> None:
    refused = await sent(service.url(200), allow_private=False)
    assert refused == Result(
        False, error="the service is reached over plain HTTP; use its secure form, or set allow_private = true"
    )
    assert service.kept == []


@pytest.mark.usefixtures("bounded")
async def test_a_proxy_of_the_environment_is_not_asked(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await sent(service.url(200))).taken


@pytest.mark.usefixtures("bounded")
async def test_why_there_was_no_answer_is_told() -> None:
    silent = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await silent.wait()

    async with talking(nonsense) as port, talking(wait) as other:
        assert await sent(f"json://127.0.0.1:{port}/") == Result(False, error="no connection to the service could be made")
        assert await sent(f"jsons://127.0.0.1:{port}/") == Result(
            False, error="the certificate of the service is not valid, or no secure connection could be made"
        )
        assert await sent(f"json://127.0.0.1:{other}/?rto=0.2") == Result(False, error="the service did not answer in time")
        silent.set()


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 200 fine\r\ncontent-length: 900\r\n\r\nbegun", b"HTTP/1.1 500 no\r\n\r\nbegun"], ids=["200", "500"]
)
async def test_of_an_answer_that_never_ends_the_beginning_counts(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apprise_helper, "BODY_WITHIN_S", 1.0)
    ends = asyncio.Event()

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        await ends.wait()

    async with talking(begin) as port:
        result = await sent(f"json://127.0.0.1:{port}/")
        stuck = apprise_helper._seen.stuck
        ends.set()
    assert stuck, "somebody still reads, so this process must end"
    good = said.startswith(b"HTTP/1.1 200")
    assert result == Result(good, 200 if good else 500, None if good else "answered 500", "begun", None)
    assert await sent("nonsense://x") == Result(
        False, error="the url is no address of a service that Apprise knows; see its documentation"
    )
    assert not apprise_helper._seen.stuck


async def test_a_fault_of_the_services_own_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("json://hush")

    monkeypatch.setattr(apprise_helper, "compose", broken)
    assert await sent("json://127.0.0.1:9/hush") == Result(False, error="Apprise failed (ValueError)")


@pytest.mark.usefixtures("bounded")
async def test_mail_is_taken_or_refused_in_the_servers_words() -> None:
    async with MailServer() as mail:
        url = f"mailto://127.0.0.1:{mail.port}/?from=exowatch@example.org&to=desk@example.org&mode=insecure"
        assert await sent(url) == Result(True, answer="221 goodbye")
        (message,) = mail.kept
        assert (message["to"], message["subject"]) == ("desk@example.org", "A test of the endpoint chat")
        mail.refusal = "550 no such desk"
        refused = Result(False, error="the mail server answered 550", answer="550 no such desk")
        assert await sent(url) == refused, "what it said to the goodbye is not why"
        mail.refusal = "400 " + "x" * 1_025
        assert await sent(url) == Result(False, error="the mail server answered 400", answer="400 " + "x" * 1_024)
        assert len(mail.kept) == 1


@pytest.mark.usefixtures("bounded")
async def test_mail_in_the_clear_needs_leave() -> None:
    async with MailServer() as mail:
        asked = f"127.0.0.1:{mail.port}/?from=exowatch@example.org&to=desk@example.org&mode=insecure&smtp=127.0.0.1"
        for user in ("", "user:hush@"):
            refused = await sent(f"mailto://{user}{asked}", allow_private=False)
            assert (refused.taken, refused.error) == (False, IN_THE_CLEAR)
        assert mail.kept == []


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("event", ["socket.connect", "socket.sendto", "socket.sendmsg"])
@pytest.mark.parametrize(
    ("address", "speaking", "reason"),
    [
        (("8.8.8.8", 443), True, None),
        (("2001:4860:4860::8888", 443, 0, 0), True, None),
        (("8.8.8.8", 443), False, NEITHER),
        (("127.0.0.1", 443), True, NOT_PUBLIC),
        (("10.1.2.3", 443), True, NOT_PUBLIC),
        (("::1", 443, 0, 0), True, NOT_PUBLIC),
        (("::ffff:127.0.0.1", 443, 0, 0), True, NOT_PUBLIC),
        (("host.example", 443), True, NOT_PUBLIC),
        ("/run/log.sock", True, NOT_PUBLIC),
        (b"/run/log.sock", True, NOT_PUBLIC),
    ],
)
def test_every_connection_is_checked_on_its_address(event: str, address: Any, speaking: bool, reason: str | None) -> None:
    def connect() -> None:
        if speaking:
            with apprise_helper._speaking():
                apprise_helper._guard(event, (None, address))
        else:
            apprise_helper._guard(event, (None, address))

    if reason is None:
        connect()
        assert apprise_helper._seen.error is None
    else:
        with pytest.raises(RefusedError, match=f"^{reason}$"):
            connect()
        assert apprise_helper._seen.error == reason
        apprise_helper._seen.allow_private = True
        connect()


@pytest.mark.usefixtures("strict")
def test_what_speaks_is_over_when_it_ends() -> None:
    address = (None, ("8.8.8.8", 443))
    with apprise_helper._speaking():
        apprise_helper._guard("socket.connect", address)
    with pytest.raises(RefusedError):
        apprise_helper._guard("socket.connect", address)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    "event",
    [
        "syslog.syslog",
        "subprocess.Popen",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "pty.spawn",
    ],
)
def test_no_program_and_no_log_of_this_machine(event: str) -> None:
    with pytest.raises(RefusedError, match=f"^{ITSELF}$"):
        apprise_helper._guard(event, ())
    apprise_helper._seen.allow_private = True
    apprise_helper._guard(event, ())


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("event", ["open", "socket.bind", "socket.getaddrinfo", "import"])
def test_what_leads_nowhere_is_let_be(event: str) -> None:
    apprise_helper._guard(event, ("127.0.0.1", 80))


async def test_a_line_comes_in_and_a_line_goes_out_until_there_are_no_more(service: Service) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "workers.deliver.apprise_helper",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    tasks = [Task(url=service.url(code), allow_private=True, event=EVENT) for code in (200, 500)]
    out, err = await process.communicate(b"".join(msgspec.json.encode(task) + b"\n" for task in tasks))
    results = [msgspec.json.decode(line, type=Result) for line in out.splitlines()]
    assert results == [Result(True, 200, None, "so", None), Result(False, 500, "answered 500", "so", None)]
    assert (process.returncode, b"127.0.0.1" in err) == (0, False)


@pytest.mark.usefixtures("bounded", "strict")
def test_the_process_is_bounded_prints_results_alone_and_ends_when_one_reads_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In this process, whose memory and sockets stay as they are."""
    limits, hooks, compose = list[Any](), list[Any](), apprise_helper.compose
    monkeypatch.setattr(resource, "setrlimit", lambda *limit: limits.append(limit))
    monkeypatch.setattr(sys, "addaudithook", hooks.append)

    def noisy(event: dict[str, Any], room: Any) -> Any:
        os.write(1, b"noise of a service")
        apprise_helper._seen.stuck = event["type"] == "digest"
        return compose(event, room)

    monkeypatch.setattr(apprise_helper, "compose", noisy)
    tasks = [
        Task(url="json://127.0.0.1:9/", allow_private=False, event=EVENT | {"type": kind}) for kind in ("test", "digest", "x")
    ]
    lines = b"".join(msgspec.json.encode(task) + b"\n" for task in tasks)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines)))
    before = os.dup(1)
    try:
        apprise_helper.main()
        assert not logging.getLogger("apprise").isEnabledFor(logging.CRITICAL), "a service's own words may hold its secrets"
    finally:
        os.dup2(before, 1)
        os.close(before)
        logging.disable(logging.NOTSET)
    refused = Result(False, error="the service is reached over plain HTTP; use its secure form, or set allow_private = true")
    told = [msgspec.json.decode(line, type=Result) for line in capfd.readouterr().out.splitlines()]
    assert told == [refused, msgspec.structs.replace(refused, last=True)], "and the third is for another process"
    assert limits == [(resource.RLIMIT_AS, (1 << 30, 1 << 30))]
    assert hooks == [apprise_helper._guard]
