"""One request to a webhook: what it carries, and in which words each answer, or none, is told."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from monitor import __version__
from monitor.settings.endpoint import Endpoint
from tests.delivering import Clock
from tests.receiver import OTHER_SECRET, SECRET, Behaviour, Receiver, held, retry_after, status
from tests.test_store import NOW
from workers.deliver.schedule import Answer
from workers.deliver.webhook import Webhook, signed_headers, url_problem

BODY = '{"é": 1}'.encode()


async def answered(endpoint: Endpoint, timeout_s: float = 20.0) -> Answer:
    channel = Webhook(endpoint, connections=1, timeout_s=timeout_s)
    try:
        return await channel.send("msg_1", BODY, NOW + 999)
    finally:
        await channel.close()


@asynccontextmanager
async def talking(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **more: Any
) -> AsyncIterator[int]:
    """The port of a server that says what a test says, HTTP or not."""

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(closing, "127.0.0.1", 0, **more)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def at(url: str, **more: Any) -> Endpoint:
    return Endpoint(name="hook", kind="webhook", url=url, **({"secret": [SECRET], "allow_private": True} | more))


@pytest.mark.parametrize(
    ("format_", "content_type"),
    [("standard", "application/json"), ("cloudevents", "application/cloudevents+json; charset=utf-8")],
)
async def test_a_request_carries_its_body_its_signatures_and_who_sends(format_: str, content_type: str) -> None:
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head + await reader.readexactly(len(BODY)))
        writer.write(b"HTTP/1.1 204 fine\r\nconnection: close\r\n\r\n")
        await writer.drain()

    async with talking(talk) as port:
        answer = await answered(at(f"http://127.0.0.1:{port}/hook?a=b", secret=[SECRET, OTHER_SECRET], format=format_))
    assert answer == Answer(ms=answer.ms, status=204, text="")
    head, _, body = asked[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert (first, body) == ("POST /hook?a=b HTTP/1.1", BODY)
    signed = signed_headers([SECRET, OTHER_SECRET], "msg_1", NOW, BODY)
    assert (signed["webhook-id"], signed["webhook-timestamp"]) == ("msg_1", str(NOW // 1000))
    assert [one.partition(",")[0] for one in signed["webhook-signature"].split(" ")] == ["v1", "v1"]
    assert headers == signed | {
        "host": f"127.0.0.1:{port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-length": str(len(BODY)),
        "content-type": content_type,
        "user-agent": f"exowatch/{__version__}",
    }


async def test_a_probe_asks_for_the_options_and_tells_nothing() -> None:
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 405 no\r\ncontent-length: 4\r\n\r\nwhat")
        await writer.drain()

    async with talking(talk) as port:
        channel = Webhook(at(f"http://127.0.0.1:{port}/hook"), connections=1)
        answer = await channel.probe()
        await channel.close()
    assert asked[0].startswith(b"OPTIONS /hook HTTP/1.1\r\n")
    assert b"webhook-" not in asked[0].lower()
    assert answer == Answer(ms=answer.ms, status=405, error="answered 405", text="what")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (200, None),
        (299, None),
        (300, "answered 300, a redirect: they are never followed, set the url to where the receiver is"),
        (399, "answered 399, a redirect: they are never followed, set the url to where the receiver is"),
        (400, "answered 400"),
        (410, "answered 410: the receiver wants no more"),
        (500, "answered 500"),
    ],
)
async def test_a_status_is_told_in_words(clock: Clock, receiver: Receiver, code: int, error: str | None) -> None:
    receiver.script(status(code, "so"))
    answer = await answered(receiver.endpoint())
    assert answer == Answer(ms=answer.ms, status=code, error=error, text="so")


@pytest.mark.parametrize(
    ("behaviour", "text", "asks"),
    [
        (retry_after(204, "soon"), "", "soon"),
        (status(200, "a\tb\nc\rd\x00e\x08f\x0bg\x1fh\x7fi€"), "a\tb\nc\ufffdd\ufffde\ufffdf\ufffdg\ufffdh\ufffdi€", None),
        (status(200, "x" * 1_023), "x" * 1_023, None),
        (status(200, "x" * 1_024), "x" * 1_024, None),
        (status(200, "x" * 1_024 + "y"), "x" * 1_024, None),
        (status(200, "x" * 1_023 + "é"), "x" * 1_023 + "\ufffd", None),
    ],
)
async def test_the_first_kilobyte_of_an_answer_is_kept(
    receiver: Receiver, behaviour: Behaviour, text: str, asks: str | None
) -> None:
    receiver.script(behaviour)
    answer = await answered(receiver.endpoint())
    assert (answer.text, answer.retry_after) == (text, asks)


async def test_an_answer_that_comes_in_pieces_is_put_together() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 fine\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in (b"a" * 600, b"b" * 600, b"c" * 600):
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            for _ in range(50):  # turns of the loop, in which it is read
                await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with talking(talk) as port:
        assert (await answered(at(f"http://127.0.0.1:{port}/"))).text == "a" * 600 + "b" * 424


async def test_an_answer_is_taken_as_it_comes_and_not_unpacked_or_followed() -> None:
    """A small answer can hide a huge one."""
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 302 there\r\nlocation: /there\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain")
        await writer.drain()

    async with talking(talk) as port:
        answer = await answered(at(f"http://127.0.0.1:{port}/"))
    assert (answer.status, answer.text, len(asked)) == (302, "plain", 1)


async def test_an_answer_that_is_cut_short_has_come_all_the_same() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 no\r\ncontent-length: 900\r\n\r\nthe beginning")
        await writer.drain()

    async with talking(talk) as port:
        answer = await answered(at(f"http://127.0.0.1:{port}/"))
    assert answer == Answer(ms=answer.ms, status=500, error="answered 500", text="the beginning")


async def test_no_answer_in_time_is_told_with_the_time(receiver: Receiver) -> None:
    never = asyncio.Event()
    receiver.script(held(never))
    answer = await answered(receiver.endpoint(), timeout_s=0.25)
    never.set()
    assert answer == Answer(ms=answer.ms, error="no answer within 0.25 s")
    assert 250 <= answer.ms < 20_000


async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"nonsense\r\n\r\n")
    await writer.drain()
    await reader.read(9_999)


async def goodbye(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("talk", "scheme", "error"),
    [
        (nonsense, "http", "the answer could not be read as HTTP (ClientResponseError)"),
        (nonsense, "https", "no secure connection to 127.0.0.1 could be made"),
        (goodbye, "http", "the connection was closed before an answer came"),
    ],
)
async def test_what_is_no_answer_is_told_in_words(talk: Any, scheme: str, error: str) -> None:
    async with talking(talk) as port:
        answer = await answered(at(f"{scheme}://127.0.0.1:{port}/hush"))
    assert answer == Answer(ms=answer.ms, error=error)


@pytest.fixture
def own_certificate(tmp_path: Path) -> ssl.SSLContext:
    """A server's, which nobody vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    day, now = dt.timedelta(days=1), dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - day).not_valid_after(now + day)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    file = tmp_path / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_a_certificate_that_nobody_vouches_for_is_told_with_its_fault(own_certificate: ssl.SSLContext) -> None:
    async with talking(nonsense, ssl=own_certificate) as port:
        answer = await answered(at(f"https://localhost:{port}/hush"))
    assert (answer.error or "").startswith("the certificate of localhost is not valid: ")
    assert "self-signed certificate" in (answer.error or "")
    assert answer.status is None


async def test_nobody_there_and_no_such_name_are_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused = await answered(at(f"http://127.0.0.1:{port}/hush"))
    assert (refused.error or "").startswith("no connection to 127.0.0.1: Connect call failed")

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    lost = await answered(at("http://lost.example/hush"))
    assert lost == Answer(ms=lost.ms, error="the host lost.example could not be resolved")


PLAIN = "its url starts with http://: use https://, or set allow_private = true for a receiver in your own network"
LEAVE = "set allow_private = true if that is meant"


@pytest.mark.parametrize(
    ("url", "problem", "error"),
    [
        ("http://example.org/hush", PLAIN, PLAIN),
        ("http://127.0.0.1/hush", PLAIN, PLAIN),
        ("https://127.0.0.1/hush", None, f"127.0.0.1 is not a public address; {LEAVE}"),
        ("https://localhost/hush", None, f"localhost resolves to an address that is not public; {LEAVE}"),
        ("https://2130706433/hush", None, "the host 2130706433 is not written as a host or a plain address"),
    ],
)
async def test_where_nothing_may_be_sent_nothing_is_and_it_says_why(url: str, problem: str | None, error: str) -> None:
    endpoint = at(url, allow_private=False)
    assert url_problem(endpoint) == problem
    answer = await answered(endpoint)
    assert answer == Answer(ms=answer.ms, error=error)
    assert answer.ms < 20_000


@pytest.mark.parametrize("url", ["http://example.org/", "https://example.org/"])
def test_with_leave_plain_http_is_no_problem(url: str) -> None:
    assert url_problem(at(url)) is None
    assert url_problem(at("https://example.org/", allow_private=False)) is None


async def test_a_file_of_secrets_is_read_when_it_changed_and_left_when_it_is_wrong(
    tmp_path: Path, clock: Clock, receiver: Receiver
) -> None:
    file = tmp_path / "hook.secret"
    file.write_text(OTHER_SECRET + "\n")
    file.chmod(0o600)
    channel = Webhook(at(receiver.url, secret=f"file:{file}"), connections=1)

    async def taken() -> bool:
        return (await channel.send("msg_1", b"{}", NOW)).status == 204

    try:
        assert not await taken()
        for text, expected in (
            (SECRET, True),
            ("not a secret", True),
            (f"{OTHER_SECRET}\n{SECRET}", True),
            (OTHER_SECRET, False),
        ):
            file.write_text(text + "\n")
            assert await taken() is expected, text
        file.unlink()
        assert not await taken(), "those before still count"
        file.write_text(SECRET + "\n\n")
        file.chmod(0o600)
        assert await taken()
    finally:
        await channel.close()
