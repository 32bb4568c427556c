"""Hostile requests: each gets an answer that says what is wrong, or the connection is closed; nothing of the inside is shown.

All go to one daemon, once for each database, and every row then looks for itself. Foreign names, foreign pages and tokens stand
in test_api_guard.py, ordinary mistakes in test_api_read.py and test_api_write.py.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.abuse import claim_of, post_of, quick_config
from tests.daemon_process import DaemonProcess, running_daemon
from tests.postgres import Postgres

HOST = b"Host: 127.0.0.1\r\n"
WORDS = "exosomes collagen"


def get(path: str, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"GET " + path.encode() + b" HTTP/1.1\r\n" + HOST + lines + b"Connection: close\r\n\r\n"


def post(body: bytes, *headers: bytes, path: str = "/api/v1/mentions") -> bytes:
    own = (
        []
        if any(header.lower().startswith((b"content-length", b"transfer")) for header in headers)
        else [b"Content-Length: %d" % len(body)]
    )
    lines = b"".join(header + b"\r\n" for header in (*headers, *own))
    return b"POST " + path.encode() + b" HTTP/1.1\r\n" + HOST + lines + b"Connection: close\r\n\r\n" + body


def searched(text: str) -> bytes:
    return get(f"/api/v1/mentions?text={quote(text)}")


def cursor(*key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


# The bytes that are sent, and the statuses that will do: () where the connection may be closed without a word.
SEARCHES = {
    "quotes": '"exosomes\' ""',
    "unbalanced-quote": '"exosomes collagen',
    "operators": "exosomes AND OR NOT collagen",
    "near": "NEAR(exosomes collagen, 2)",
    "column-filter": "words : exosomes {words} - collagen",
    "stars": "*** exo* **",
    "parentheses": "((((exosomes))))" * 20,
    "caret-and-plus": "^exosomes + collagen",
    "sql": "'; DROP TABLE mention; --",
    "tsquery": "exosomes & !collagen | <-> :*A",
    "backslashes": "\\exosomes\\",
    "percent-and-underscore": "%_%",
    "emoji-only": "🧪💉",
    "punctuation-only": "?!.,;:-_",
    "cjk": "エクソソーム 엑소좀",
    "one-cjk-letter": "皮",
    "right-to-left": "\u202eexosomes\u2066",
    "zalgo": "e" + "\u0301" * 400,
    "regex-bomb": "(a+)+$" * 60,
    "many-words": " ".join("abcdefghijklmnopqrstuvwxyz0123456789" * 6),
    "many-phrases": '"a b" ' * 80,
    "many-prefixes": "a* " * 160,
    "too-long": "a" * 501,
}
ROWS: dict[str, tuple[bytes, tuple[int, ...]]] = {f"text={name}": (searched(text), (200, 400)) for name, text in SEARCHES.items()}
ROWS |= {
    "nul-in-a-search": (get("/api/v1/mentions?text=%00"), (400,)),
    "invalid-utf-8-in-a-search": (get("/api/v1/mentions?text=%ff%fe"), (200, 400)),
    "since-beyond-all-time": (get("/api/v1/claims?since=1e17"), (200, 400)),
    "since-before-all-time": (get("/api/v1/claims?since=-1e17"), (200, 400)),
    "until-beyond-all-time": (get("/api/v1/alerts?until=1e300"), (200, 400)),
    "stats-beyond-all-time": (get("/api/v1/stats?since=1e17"), (200, 400)),
    "stats-before-all-time": (get("/api/v1/stats?until=-1e17"), (200, 400)),
    "since-is-nan": (get("/api/v1/mentions?since=nan"), (400,)),
    "limit-of-many-digits": (get("/api/v1/mentions?limit=" + "9" * 5_000), (400,)),
    "limit-in-arabic-digits": (get("/api/v1/mentions?limit=" + quote("١٠")), (400,)),
    "a-hundred-platforms": (get("/api/v1/mentions?" + "&".join(f"platform=p{n}" for n in range(100))), (200,)),
    "an-endless-address": (get("/api/v1/mentions?text=" + "a" * 100_000), (400, 414)),
    "cursor-is-no-cursor": (get("/api/v1/mentions?cursor=%22%27"), (400,)),
    "cursor-with-nul": (get(f"/api/v1/claims?cursor={cursor(1, chr(0))}"), (200, 400)),
    "cursor-with-surrogate": (get("/api/v1/claims?cursor=" + base64.urlsafe_b64encode(b'[1,"\\ud800"]').decode()), (400,)),
    "cursor-with-a-huge-number": (get(f"/api/v1/claims?cursor={cursor(2**63, 'c')}"), (400,)),
    "cursor-that-is-deep": (get("/api/v1/mentions?cursor=" + base64.urlsafe_b64encode(b"[" * 5_000).decode()), (400,)),
    "cursor-that-is-negative": (get(f"/api/v1/mentions?cursor={cursor(-5)}"), (200,)),
    "id-with-a-header": (get("/api/v1/mentions/x%0d%0aSet-Cookie:%20a=b"), (404,)),
    "id-with-nul": (get("/api/v1/mentions/forum:%00"), (404,)),
    "id-with-invalid-utf-8": (get("/api/v1/mentions/forum:%ff%fe"), (404,)),
    "id-that-is-endless": (get("/api/v1/mentions/forum:" + "a" * 6_000), (404,)),
    "claim-id-with-markup": (get("/claims/%3Cscript%3Ealert(1)", b"Accept: text/html"), (404,)),
    "delivery-of-a-huge-number": (post(b"", path="/api/v1/deliveries/d_zzzzzzzzzzzzz/redeliver"), (404,)),
    "static-traversal": (get("/static/../../../../etc/passwd"), (400, 403, 404)),
    "static-traversal-encoded": (get("/static/%2e%2e%2f%2e%2e%2fapp.py"), (400, 403, 404)),
    "static-nul": (get("/static/live.js%00.css"), (400, 403, 404)),
    "static-absolute": (get("/static//etc/passwd"), (400, 403, 404)),
    "absolute-address": (b"GET http://evil.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", (400, 403, 404)),
    "foreign-host": (b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", (403,)),
    "two-hosts": (b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\nConnection: close\r\n\r\n", (400, 403)),
    "login-elsewhere": (get("/login?next=//evil.example%0d%0aX:%20y"), (303,)),
    "body-of-six-megabytes": (post(b" " * 6_000_000), (413,)),
    "length-of-a-terabyte": (post(b"", b"Content-Length: 1000000000000"), (400, 413)),
    "negative-length": (post(b"{}", b"Content-Length: -5"), (400,)),
    "length-that-is-no-number": (post(b"{}", b"Content-Length: five"), (400,)),
    "two-lengths": (post(b"{}", b"Content-Length: 2", b"Content-Length: 7"), (400,)),
    "length-and-chunks": (post(b"0\r\n\r\n", b"Content-Length: 2", b"Transfer-Encoding: chunked"), (400,)),
    "broken-chunks": (post(b"zz\r\nhello\r\n", b"Transfer-Encoding: chunked"), (400,)),
    "gzip-bomb": (post(gzip.compress(b" " * 200_000_000, 1), b"Content-Encoding: gzip"), (400, 413)),
    "unknown-encoding": (post(b"x", b"Content-Encoding: zip"), (400, 415)),
    "deep-json": (post(b"[" * 1_000_000), (400,)),
    "deep-objects": (post(b'{"a":' * 500_000), (400,)),
    "huge-number": (post(b'{"platform": "a", "id": ' + b"9" * 100_000 + b', "text": "exosomes"}'), (202, 400)),
    "invalid-utf-8": (post(b'{"platform": "a", "id": "1", "text": "\xff"}'), (400,)),
    "lone-surrogate": (post(b'{"platform": "a", "id": "1", "text": "\\ud800"}'), (202, 400)),
    "form-instead-of-json": (post(b"platform=a&id=1", b"Content-Type: application/x-www-form-urlencoded"), (400, 415)),
    "another-charset": (post(b"[]", b"Content-Type: application/json; charset=utf-7"), (202, 400, 415)),
    "no-http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n", (400,)),
    "unknown-method": (b"FROB / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", (400, 405)),
    "http-9": (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", (400, 505)),
    "endless-header": (get("/", b"X: " + b"a" * 100_000), (400, 431)),
    "ten-thousand-headers": (get("/", *[b"X-%d: y" % n for n in range(10_000)]), (200, 400, 431)),
    "nul-in-a-header": (get("/", b"X: a\0b"), (200, 400)),
    "bad-last-event-id": (get("/api/v1/live?event=noise", b"Last-Event-ID: " + b"9" * 4_000), (400,)),
}  # fmt: skip


@dataclass
class Seen:
    answers: dict[str, bytes] = field(default_factory=dict)
    still_works: bool = False
    log: str = ""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    store = ""
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres_server")
        store = postgres.fresh_database()
    return asyncio.run(play(tmp_path_factory.mktemp("http"), store))


async def ask(daemon: DaemonProcess, request: bytes) -> bytes:
    """The whole answer, or its beginning where the connection is cut."""
    host, _, port = daemon.address.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = b""
    try:
        async with asyncio.timeout(10):
            try:
                writer.write(request)
                await writer.drain()
            except ConnectionError:
                pass  # it has answered before it read all
            while not _is_whole(answer) and (part := await reader.read(65_536)):
                answer += part
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return answer


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
    return bool(end) and length is not None and len(body) >= int(length[1])


async def play(folder: Path, store: str) -> Seen:
    seen = Seen()
    async with running_daemon(quick_config(folder, store=store)) as daemon:
        await daemon.post("/mentions", [post_of(str(n), claim_of(301 + n)) for n in range(3)])
        await daemon.until("/mentions", lambda page: len(page["items"]) == 3)
        for name, (request, _) in ROWS.items():
            seen.answers[name] = await ask(daemon, request)
        slow = [asyncio.open_connection(*daemon.address.removeprefix("http://").split(":")) for _ in range(200)]
        opened = await asyncio.gather(*slow)
        for _, writer in opened:
            writer.write(b"GET / HTTP/1.1\r\nX")  # and no more: a slow loris of two hundred
        await daemon.post("/mentions", [post_of("after", claim_of(400))])
        page = await daemon.until(f"/mentions?text={quote(WORDS)}", lambda page: len(page["items"]) == 4)
        seen.still_works = page["items"][0]["platform_id"] == "after"
        for _, writer in opened:
            writer.close()
    seen.log = daemon.log()
    return seen


@pytest.mark.parametrize("name", ROWS)
def test_a_hostile_request_gets_a_plain_answer(seen: Seen, name: str) -> None:
    head, _, body = seen.answers[name].partition(b"\r\n\r\n")
    match = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
    assert match, seen.answers[name][:200]
    status = int(match[1])
    assert status in ROWS[name][1], (status, body[:300])
    assert b"set-cookie" not in head.lower()
    assert b"evil.example" not in head
    for sign in (b"Traceback", b"sqlite", b"asyncpg", b"root:", b".py", b"<script>alert"):
        assert sign not in body
    if status >= 400 and b"application/problem+json" in head:
        problem = json.loads(body)
        assert problem["status"] == status
        assert len(problem["detail"]) < 400


def test_the_daemon_goes_on_as_if_nothing_had_been(seen: Seen) -> None:
    assert seen.still_works


def test_no_request_is_worth_an_error_in_the_log(seen: Seen) -> None:
    for line in seen.log.splitlines():
        assert line.startswith("{"), line
        assert json.loads(line)["level"] == "info", line
