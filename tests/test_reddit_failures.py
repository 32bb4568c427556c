"""Every way in which Reddit, or the way to it, is known to fail: one sentence each, and the next poll goes on."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from monitor.collectors import open_collector
from monitor.collectors.base import Collector, SourceError
from monitor.collectors.reddit import RedditCollector
from tests.standins.polling import fails, heard
from tests.standins.reddit_server import RedditServer
from tests.standins.reddit_source import HTML, JSON, burst, collector, reddit, source
from tests.standins.scripted import Reply

__all__ = ["collector", "reddit"]

LISTING = {"kind": "Listing", "data": {"children": [], "after": None}}


# Every row of what a server can do: the answer to the first request for a listing, words of the sentence, permanent, retry_after.
ROWS: dict[str, tuple[Reply, str, bool, float | None]] = {
    "200 html": (Reply(200, "<html>Just a moment</html>", HTML), "web page instead of data", False, None),
    "200 broken json": (Reply(200, '{"kind": "Listing", "da', JSON), "broken JSON", False, None),
    "200 nothing": (Reply(200, "", JSON), "not a listing", False, None),
    "200 other json": (Reply(200, '{"data": {"children": 5}}', JSON), "not a listing", False, None),
    "200 a list": (Reply(200, "[1]", JSON), "not a listing", False, None),
    "200 null": (Reply(200, "null", JSON), "not a listing", False, None),
    "200 deep json": (Reply(200, "[" * 100_000, JSON), "cannot be used", False, None),
    "200 huge number": (Reply(200, '{"data": ' + "9" * 5000 + "}", JSON), "broken JSON", False, None),
    "301": (Reply(301, "", {"Location": "https://www.reddit.com/r/x/"}), "does not exist or is banned", False, None),
    "302 to search": (Reply(302, "", {"Location": "/subreddits/search?q=x"}), "does not exist or is banned", False, None),
    "400 json": (Reply(400, '{"message": "Bad Request", "error": 400}', JSON), "(400)", False, None),
    "400 text": (Reply(400, "Bad Request", {"Content-Type": "text/plain"}), "(400)", False, None),
    "403 private": (Reply(403, '{"reason": "private", "message": "Forbidden", "error": 403}', JSON), "(403)", True, None),
    "403 blocked": (Reply(403, "<html>blocked</html>", HTML), "(403)", False, None),
    "404": (Reply(404, '{"message": "Not Found", "error": 404}', JSON), "(404)", False, None),
    "409": (Reply(409, "{}", JSON), "(409)", False, None),
    "413": (Reply(413, "<html/>", HTML), "(413)", False, None),
    "429 seconds": (Reply(429, "<html>slow down</html>", HTML | {"Retry-After": "4"}), "fewer requests", False, 4),
    "429 date": (
        Reply(429, "", {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}),
        "fewer requests",
        False,
        86_400,
    ),
    "429 nonsense": (Reply(429, "", {"Retry-After": "later"}), "headers that cannot be read", False, 60),
    "429 bare": (Reply(429, '{"message": "Too Many Requests", "error": 429}', JSON), "fewer requests", False, 60),
    "451": (Reply(451, "{}", JSON), "(451)", False, None),
    "odd rate headers": (
        Reply(
            200, json.dumps(LISTING), JSON | {"x-ratelimit-remaining": "5", "x-ratelimit-used": "5.0", "x-ratelimit-reset": "1"}
        ),
        "headers that cannot be read",
        False,
        60,
    ),
}


@pytest.mark.parametrize("row", ROWS)
async def test_failures_of_a_listing(reddit: RedditServer, collector: Collector, row: str) -> None:
    reply, words, permanent, wait = ROWS[row]
    burst(reddit, 3)
    _, cursor = await heard(collector)
    reddit.next(reply)
    started = time.perf_counter()
    problem = await fails(collector, cursor)
    assert words in str(problem)
    assert (problem.permanent, problem.retry_after) == (permanent, wait)
    assert time.perf_counter() - started < 30
    names = burst(reddit, 2)  # and it goes on where it was
    assert [post.id for post in (await heard(collector, cursor))[0]] == names


async def fails_three_times(reply: Reply) -> SourceError:
    """The failure of a server that gives the same answer to all of asyncprawcore's tries, which take it four seconds."""
    async with RedditServer() as reddit:
        collector = open_collector(source(reddit.origin))
        reddit.next(*[reply] * 3)
        problem = await fails(collector)
        assert len(reddit.asked) == 3
        await collector.close()
        return problem


async def test_what_is_tried_three_times() -> None:
    statuses = (500, 502, 503, 504, 520, 522)
    told = {"www-authenticate": 'Bearer realm="reddit", error="invalid_token"'}
    troubles = [fails_three_times(Reply(status, "", JSON | {"Retry-After": "9"})) for status in statuses]
    refusals = [fails_three_times(Reply(401, '{"message": "Unauthorized", "error": 401}', JSON | more)) for more in (told, {})]
    *problems, with_header, without = await asyncio.gather(*troubles, *refusals)
    for status, problem in zip(statuses, problems, strict=True):
        assert f"({status})" in str(problem)
        assert (problem.permanent, problem.retry_after) == (False, 9)
    for problem in (with_header, without):
        assert problem.permanent
        assert "client_id and client_secret" in str(problem)


async def test_a_cut_connection(reddit: RedditServer, collector: Collector) -> None:
    reddit.next(Reply(drop=True), Reply(drop=True))  # an old connection is tried anew once, by aiohttp
    assert "broke off" in str(await fails(collector))


TOKEN_ROWS: dict[str, tuple[Reply, str, bool, float | None]] = {
    "200 error": (
        Reply(200, '{"error_description": "Only script apps may use password auth", "error": "unauthorized_client"}', JSON),
        "unauthorized_client",
        True,
        None,
    ),
    "401": (Reply(401, '{"message": "Unauthorized", "error": 401}', JSON), "client_id and client_secret", True, None),
    "403": (Reply(403, "<html/>", HTML), "client_id and client_secret", True, None),
    "429": (Reply(429, '{"message": "Too Many Requests", "error": 429}', JSON), "fewer requests", False, 60),
    "500": (Reply(500, "", JSON), "trouble of its own", False, None),
    "200 html": (Reply(200, "<html/>", HTML), "web page", False, None),
    "200 other": (Reply(200, '{"hello": 1}', JSON), "cannot be used", False, None),
    "200 list": (Reply(200, "[]", JSON), "cannot be used", False, None),
    "cut off": (Reply(drop=True), "broke off", False, None),
}


@pytest.mark.parametrize("row", TOKEN_ROWS)
async def test_failures_of_signing_in(reddit: RedditServer, collector: Collector, row: str) -> None:
    reply, words, permanent, wait = TOKEN_ROWS[row]
    reddit.next_token(reply)
    problem = await fails(collector)
    assert words in str(problem)
    assert (problem.permanent, problem.retry_after) == (permanent, wait)
    assert not reddit.asked


async def test_wrong_credentials(reddit: RedditServer) -> None:
    collector = open_collector(source(reddit.origin, client_secret="not the secret"))
    problem = await fails(collector)
    assert problem.permanent
    assert "not the secret" not in str(problem)
    await collector.close()


async def test_silence_and_endless_answers_end(reddit: RedditServer, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = RedditCollector(source(reddit.origin), timeout=0.4)
    reddit.next(Reply(hang=True))
    assert "within 0.4 s" in str(await fails(collector))
    await collector.close()
    monkeypatch.setattr("monitor.collectors.http.MAX_LISTING", 10_000)
    collector = RedditCollector(source(reddit.origin))
    reddit.next(Reply(endless=True, headers=JSON))
    assert "broke off" in str(await fails(collector))
    await collector.close()


async def test_no_server() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        collector = open_collector(source(f"http://127.0.0.1:{held.getsockname()[1]}"))
        assert "cannot be reached" in str(await fails(collector))
        await collector.close()
    collector = open_collector(source("http://no-such-host.invalid"))
    assert "cannot be found" in str(await fails(collector))
    await collector.close()


async def test_recorded_errors_are_sentences(shared: Path) -> None:
    folder = shared / "wire" / "dev" / "reddit"
    rows = [row for row in json.loads((folder / "index.json").read_bytes()) if row["status"] >= 300]
    assert len(rows) > 20

    async def served(row: dict[str, Any]) -> None:
        async with RedditServer() as reddit:
            collector = open_collector(source(reddit.origin))
            headers = {
                name: value for name, value in row["headers"].items() if name not in ("content-length", "transfer-encoding")
            }
            reddit.next(*[Reply(row["status"], (folder / row["file"]).read_bytes(), headers)] * 3)
            assert str(row["status"]) in str(await fails(collector))
            await collector.close()

    await asyncio.gather(*map(served, rows))
