"""The one GET that all collectors share: bounded, patient, and not to be led inwards."""

from __future__ import annotations

import datetime as dt
import gzip
import socket
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from email.utils import format_datetime

import pytest

from monitor import net
from monitor.collectors.base import SourceError
from monitor.collectors.http import Fetcher, fresh_for, rebased, refusal, retry_after
from tests.standins.scripted import Reply, ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as running:
        yield running


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    made = Fetcher(timeout=2)
    yield made
    await made.close()


@pytest.fixture
def loopback_two_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets 127.0.0.2 play a public address, so that a way from public to private exists on one machine."""
    monkeypatch.setattr(net, "is_public", lambda address: address == "127.0.0.2")


def redirect(to: str, status: int = 302) -> Reply:
    return Reply(status, headers={"Location": to})


async def failure(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(SourceError) as caught:
        await fetcher.get(url)
    message = str(caught.value)
    assert "\n" not in message
    return message


async def test_body_status_and_own_name(server: ScriptedServer, fetcher: Fetcher) -> None:
    server.next(Reply(201, "hello", {"X-Any": "thing"}))
    answer = await fetcher.get(f"{server.origin}/a?b=c", {"If-None-Match": 'W/"x"'})
    assert (answer.status, answer.body, answer.headers["x-any"]) == (201, b"hello", "thing")
    asked = server.asked[0]
    assert (asked.path, asked.query, asked.headers["If-None-Match"]) == ("/a", {"b": "c"}, 'W/"x"')
    assert "exowatch" in asked.headers["User-Agent"]


@pytest.mark.parametrize(
    "pack", [gzip.compress, zlib.compress, lambda data: zlib.compress(data)[2:-4]], ids=["gzip", "zlib", "raw"]
)
async def test_compressed_bodies(server: ScriptedServer, fetcher: Fetcher, pack: object) -> None:
    body = b"some words " * 20_000
    packed = pack(body)  # type: ignore[operator]
    encoding = "gzip" if packed.startswith(b"\x1f\x8b") else "deflate"
    server.next(Reply(200, packed, {"Content-Encoding": encoding}))
    assert (await fetcher.get(server.origin)).body == body


async def test_gzip_of_several_members_and_padding(server: ScriptedServer, fetcher: Fetcher) -> None:
    server.next(Reply(200, gzip.compress(b"one ") + gzip.compress(b"two") + b"\0" * 50, {"Content-Encoding": "gzip"}))
    assert (await fetcher.get(server.origin)).body == b"one two"


async def test_broken_compression_is_one_error(server: ScriptedServer, fetcher: Fetcher) -> None:
    whole = gzip.compress(b"words " * 1000)
    corrupt = whole[:30] + b"\xff" * 20 + whole[50:]
    for body in (b"not gzip at all", whole[:-20], corrupt):
        server.next(Reply(200, body, {"Content-Encoding": "gzip"}))
        assert "gzip" in await failure(fetcher, server.origin)
    server.next(Reply(200, b"?", {"Content-Encoding": "br"}))
    assert "not asked for" in await failure(fetcher, server.origin)


async def test_gzip_bomb_stays_small(server: ScriptedServer, fetcher: Fetcher) -> None:
    server.next(Reply(200, gzip.compress(b"\0" * 60_000_000), {"Content-Encoding": "gzip"}))
    started = time.perf_counter()
    tracemalloc.start()
    assert "more than 5120 kB" in await failure(fetcher, server.origin)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.perf_counter() - started < 15
    assert peak < 20_000_000


async def test_endless_and_silent_answers_end(server: ScriptedServer) -> None:
    patient, fetcher = Fetcher(), Fetcher(timeout=0.5)
    # A cut connection is tried once more where it was an old one that the server may have closed meanwhile.
    server.next(Reply(endless=True), Reply(hang=True), Reply(drop=True), Reply(drop=True))
    assert "more than 5120 kB" in await failure(patient, server.origin)
    await patient.close()
    assert "did not answer in full within 0.5 s" in await failure(fetcher, server.origin)
    assert "broke off" in await failure(fetcher, server.origin)
    await fetcher.close()


async def test_hosts_that_cannot_be_reached(server: ScriptedServer, fetcher: Fetcher) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert "refuses the connection" in await failure(fetcher, f"http://127.0.0.1:{held.getsockname()[1]}/feed")
    assert "cannot be found" in await failure(fetcher, "http://no-such-host.invalid/feed")
    assert "secure connection" in await failure(fetcher, server.origin.replace("http:", "https:"))


async def test_messages_hold_no_secrets(fetcher: Fetcher) -> None:
    message = await failure(fetcher, "http://user:hunter2@no-such-host.invalid/feed/hunter4?token=hunter3")
    assert "no-such-host.invalid" in message
    assert "hunter" not in message


async def test_redirects_are_followed_and_permanent_ones_told(server: ScriptedServer, fetcher: Fetcher) -> None:
    server.next(redirect("/b", 301), redirect(f"{server.origin}/c?d=1", 308), Reply(200, "there"))
    answer = await fetcher.get(f"{server.origin}/a")
    assert (answer.body, answer.url, answer.moved) == (b"there", f"{server.origin}/c?d=1", f"{server.origin}/c?d=1")
    server.next(redirect("/b", 301), redirect("/c", 302), Reply(200, "there"))
    assert (await fetcher.get(f"{server.origin}/a")).moved is None


async def test_a_token_stays_with_the_site_that_it_is_for(server: ScriptedServer, fetcher: Fetcher) -> None:
    async with ScriptedServer() as other:
        server.next(redirect("/here"), redirect(f"{other.origin}/there"))
        other.next(Reply(200, "there"))
        await fetcher.get(f"{server.origin}/a", {"Authorization": "Bearer hunter2", "Accept": "text/plain"})
        assert [asked.headers.get("Authorization") for asked in (*server.asked, *other.asked)] == ["Bearer hunter2"] * 2 + [None]
        assert other.asked[0].headers["Accept"] == "text/plain"


async def test_redirects_without_end_or_sense(server: ScriptedServer, fetcher: Fetcher) -> None:
    server.next(*[redirect("/again")] * 10)
    assert "more than 5 times" in await failure(fetcher, server.origin)
    assert len(server.asked) == 6
    server._next.clear()
    for location in ("file:///etc/passwd", "ftp://e.test/", "javascript:alert(1)", "http://[broken/"):
        server.next(redirect(location))
        await failure(fetcher, server.origin)
        assert not server._next


@pytest.mark.usefixtures("loopback_two_is_public")
async def test_redirect_from_public_to_private_is_refused(server: ScriptedServer, fetcher: Fetcher) -> None:
    async with ScriptedServer("127.0.0.2") as public:
        public.next(redirect(f"{server.origin}/admin"))
        assert "private address" in await failure(fetcher, public.origin)
        assert not server.asked
        # Also by way of another public address, and however the private one is written.
        port = server.origin.rsplit(":", 1)[1]
        public.next(redirect("/step"), redirect(f"http://localhost:{port}/admin"))
        assert "private address" in await failure(fetcher, public.origin)
        assert not server.asked


@pytest.mark.usefixtures("loopback_two_is_public")
async def test_operators_own_private_address_is_fine(server: ScriptedServer, fetcher: Fetcher) -> None:
    server.next(redirect(f"{server.origin}/elsewhere"), Reply(200, "inside"))
    assert (await fetcher.get(server.origin)).body == b"inside"


async def test_base_url_replaces_every_host(server: ScriptedServer) -> None:
    fetcher = Fetcher(base_url=server.origin)
    server.next(redirect("https://other.example.org/moved?x=1", 301), Reply(200, "proxied"))
    answer = await fetcher.get("https://feed.example.org/rss.xml?a=b")
    assert (answer.body, answer.url) == (b"proxied", "https://other.example.org/moved?x=1")
    assert [(asked.path, asked.query) for asked in server.asked] == [("/rss.xml", {"a": "b"}), ("/moved", {"x": "1"})]
    await fetcher.close()
    assert rebased("https://a.test/x?y=1", None) == "https://a.test/x?y=1"


@pytest.mark.parametrize(
    ("status", "words", "permanent"),
    [
        (401, "login", False),
        (403, "refuses access", False),
        (404, "nothing at this address", False),
        (410, "gone for good", True),
        (418, "418", False),
        (429, "fewer requests", False),
        (500, "trouble of its own (500)", False),
        (503, "trouble of its own (503)", False),
    ],
)
async def test_refusals(server: ScriptedServer, fetcher: Fetcher, status: int, words: str, permanent: bool) -> None:
    server.next(Reply(status, "?", {"Retry-After": "120"}))
    problem = refusal(await fetcher.get(f"{server.origin}/feed"))
    assert problem is not None
    assert words in str(problem)
    assert (problem.permanent, problem.retry_after) == (permanent, 120)


def test_retry_after_in_seconds_and_as_a_date() -> None:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def wait(value: str) -> float | None:
        return retry_after({"Retry-After": value}, now=now)

    assert wait("90") == 90
    assert wait("0") == 0
    assert wait(format_datetime(now + dt.timedelta(minutes=5), usegmt=True)) == 300
    assert wait(format_datetime(now - dt.timedelta(days=5), usegmt=True)) == 0
    assert wait("9" * 60) == 86_400
    assert wait("Fri, 31 Dec 9999 23:59:59 GMT") == 86_400
    for nonsense in ("", "soon", "-5", "nan", "１２", "Wed, 99 Foo 2026", "1e9"):
        assert wait(nonsense) is None
    assert retry_after({}) is None


def test_how_long_an_answer_stays_good() -> None:
    assert fresh_for({"Cache-Control": "public, max-age=600"}) == 600
    assert fresh_for({"Cache-Control": 'max-age="600"', "Age": "100"}) == 500
    assert fresh_for({"Cache-Control": "max-age=99999999999999999999"}) == 86_400
    for nothing in ("no-cache, max-age=600", "max-age=0", "max-age=x", "private", ""):
        assert fresh_for({"Cache-Control": nothing}) is None
    assert fresh_for({"Cache-Control": "max-age=60", "Age": "61"}) is None
