"""Every recorded and every made feed passes through the real collector: posts, or one clear sentence, and soon."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.collectors import feed_process, open_collector
from monitor.collectors.base import SourceError
from monitor.collectors.feed_parse import Request, parse
from monitor.settings import FeedSource
from monitor.words import MAX_ID, MAX_NAME, MAX_TEXT, MAX_URL, Post, decode_post, encode
from tests.standins.feed_server import FeedServer
from tests.standins.scripted import Reply

WIRE = Path(__file__).resolve().parents[2] / "shared" / "wire" / "dev"
BATCH = 24  # files for one test, so that a failure names few and the set-up is paid seldom
REFUSED = {
    "made__billion_laughs.xml": "document type",
    "made__external_entity_file.xml": "document type",
    "made__gzip_bomb.xml.gz": "more than 5120 kB",
    "made__one_byte.xml": "not a feed",
    "made__html_as_json.json": "HTML page",
}


def recorded() -> list[dict[str, Any]]:
    """Feeds, and whatever hostile file can be served as one."""
    rows = []
    for folder in ("feeds", "hostile"):
        index = WIRE / folder / "index.json"
        found = json.loads(index.read_bytes()) if index.exists() else []
        rows += [{"path": WIRE / folder / row["file"], "headers": row["headers"] or {}} for row in found]
    return rows


ROWS = recorded()
JSON_CASES = [row["path"] for row in ROWS if row["path"].name.startswith("json__")]
ROWS = [row for row in ROWS if row["path"] not in JSON_CASES]
BATCHES = [ROWS[start : start + BATCH] for start in range(0, len(ROWS), BATCH)]


@pytest.fixture
async def feed() -> AsyncIterator[FeedServer]:
    async with FeedServer() as server:
        yield server


def check(post: Post) -> None:
    assert post.platform == "news"
    assert 0 < len(post.text) <= MAX_TEXT
    assert 0 < len(post.id) <= MAX_ID
    assert len(post.author or "") <= MAX_NAME
    assert post.url is None or (post.url.startswith(("http://", "https://")) and len(post.url) <= MAX_URL)
    assert post.created_at is None or isinstance(post.created_at, int)
    assert not any(char in post.text + post.id + (post.author or "") for char in "\0\a\x1b\x7f")
    assert decode_post(encode(post)) == post


def clear(error: SourceError) -> str:
    sentence = str(error)
    assert "\n" not in sentence
    assert 20 < len(sentence) < 300
    assert not error.permanent
    return sentence


async def passes(feed: FeedServer, reply: Reply, path: str = "/feed") -> tuple[list[Post], str | None]:
    """The posts of a reply, or the sentence; the second poll from the cursor must have nothing more."""
    feed.pages[path] = reply
    collector = open_collector(FeedSource(kind="feed", name="hostile", url=f"{feed.origin}{path}"))
    started = time.perf_counter()
    try:
        batches = [batch async for batch in collector.poll(None)]
        again = [batch async for batch in collector.poll(batches[-1].cursor)]
        assert not any(batch.posts for batch in again)
        return [post for batch in batches for post in batch.posts], None
    except SourceError as error:
        return [], clear(error)
    finally:
        assert time.perf_counter() - started < 20
        await collector.close()


@pytest.mark.parametrize("rows", BATCHES, ids=[f"{batch[0]['path'].stem[:40]}..." for batch in BATCHES])
async def test_recorded_and_made_files(feed: FeedServer, rows: list[dict[str, Any]]) -> None:
    async def served(path: Path, recorded_headers: dict[str, str]) -> None:
        headers = {name: recorded_headers[name] for name in ("content-type", "last-modified") if name in recorded_headers}
        if path.suffix == ".gz":
            headers["content-encoding"] = "gzip"
        posts, sentence = await passes(feed, Reply(200, path.read_bytes(), headers), f"/{len(feed.pages)}")
        for post in posts:
            check(post)
        if path.name in REFUSED:
            assert REFUSED[path.name] in (sentence or ""), path.name

    await asyncio.gather(*(served(row["path"], row["headers"]) for row in rows))


def test_json_that_is_no_feed_is_said_to_be_none(shared: Path) -> None:
    del shared
    assert len(JSON_CASES) > 150
    for path in JSON_CASES:  # the parser alone: a process for each would take a minute
        result = parse(path.read_bytes(), Request(url="https://feed.test/x", content_type="application/json"))
        assert "not a feed" in (result.error or ""), path.name


async def test_recorded_feeds_mostly_give_posts(shared: Path) -> None:
    del shared
    heard = errors = 0
    for row in ROWS:
        if row["path"].parent.name != "feeds":
            continue
        kind = row["headers"].get("content-type", "")
        result = parse(row["path"].read_bytes(), Request(url="https://feed.test/x", content_type=kind))
        heard += len(result.entries)
        errors += result.error is not None
    assert heard > 350
    assert errors <= 6  # HTML pages, a fragment, a format of 1997


def rss(inside: str, prolog: str = '<?xml version="1.0"?>') -> str:
    return f'{prolog}<rss version="2.0"><channel><title>t</title>{inside}</channel></rss>'


ITEM = "<item><title>{}</title><guid>1</guid></item>"
BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "body",
    [
        rss(ITEM.format("&b;"), f'<?xml version="1.0"?>{BOMB}').encode(),
        rss(ITEM.format("&b;"), f'<?xml version="1.0"?><!-- <a> -->\n<?pi <b> ?>{BOMB}').encode(),
        rss(ITEM.format("&b;"), BOMB.replace("DOCTYPE", "doctype")).encode(),
        rss(ITEM.format("&b;"), f'<?xml version="1.0" encoding="utf-16"?>{BOMB}').encode("utf-16"),
        rss(ITEM.format("&b;"), f'<?xml version="1.0" encoding="utf-32"?>{BOMB}').encode("utf-32-be"),
        rss(ITEM.format("&b;"), f'<?xml version="1.0" encoding="cp037"?>{BOMB}').encode("cp037"),
        b'<?xml version="1.0" encoding="utf-7"?>' + rss(ITEM.format("&b;"), BOMB).encode("utf-7").replace(b"<!", b"+ADwAIQ-"),
        rss(ITEM.format("&b;"), "<!-- " + "x" * 100_000 + f" -->{BOMB}").encode(),
    ],
    ids=["plain", "comments", "lower", "utf-16", "utf-32", "ebcdic", "utf-7", "far"],
)
async def test_entities_are_refused_however_they_are_written(feed: FeedServer, body: bytes) -> None:
    posts, sentence = await passes(feed, Reply(200, body))
    assert not posts
    assert "document type" in (sentence or "")


async def test_text_about_document_types_is_heard(feed: FeedServer) -> None:
    html = "<item><title>How to</title><description><![CDATA[<p>Write &lt;!DOCTYPE html&gt; first</p>]]></description></item>"
    posts, _ = await passes(feed, Reply(200, rss(html)))
    assert [post.text for post in posts] == ["How to\n\nWrite <!DOCTYPE html> first"]


@pytest.mark.parametrize(
    "inside",
    [
        ITEM.format("&lt;" * 200_000),
        f"<item><guid>1</guid><description>{'&lt;div&gt;' * 20_000}deep</description></item>",
        f"<item><guid>1</guid><description>{'&lt;a ' * 60_000}</description></item>",
        f"<item><guid>1</guid><description><![CDATA[{'<![CDATA[' * 20_000}]]></description></item>",
        "<item>" * 20_000,
        f"<item><title>{'word ' * 400_000}</title></item>",
        "".join(f"<item><title>number {number}</title><guid>{number}</guid></item>" for number in range(8_000)),
    ],
    ids=["brackets", "divs", "open tags", "cdata", "items in items", "2 MB of title", "8,000 items"],
)
async def test_made_floods_end_in_time(feed: FeedServer, inside: str) -> None:
    posts, _ = await passes(feed, Reply(200, rss(inside)))
    assert len(posts) <= 5_000
    for post in posts:
        check(post)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, str]]]:
    """Every parser process that a test started, with its environment."""
    found: list[tuple[Any, dict[str, str]]] = []
    start = asyncio.create_subprocess_exec

    async def watched(*args: Any, env: dict[str, str], **rest: Any) -> Any:
        found.append((await start(*args, env=env, **rest), env))
        return found[-1][0]

    monkeypatch.setattr(feed_process.asyncio, "create_subprocess_exec", watched)
    return found


async def test_a_parse_that_runs_away_is_killed(started: list[tuple[Any, dict[str, str]]]) -> None:
    with pytest.raises(SourceError, match=r"more than 0\.01 s to read"):
        await feed_process.parse_apart(rss(ITEM.format("x")).encode(), Request(url="https://e.test/"), deadline=0.01)
    assert [process.returncode for process, _ in started] == [-9]


def test_the_parser_starts_without_the_daemons_libraries() -> None:
    code = (
        "import sys, monitor.collectors.feed_parse; print([n for n in ('aiohttp', 'asyncpraw', 'pydantic') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


async def test_the_parser_gets_no_secrets(
    feed: FeedServer, monkeypatch: pytest.MonkeyPatch, started: list[tuple[Any, dict[str, str]]]
) -> None:
    monkeypatch.setenv("REDDIT_CLIENT_SECRET", "hunter2")
    await passes(feed, Reply(200, rss(ITEM.format("x"))))
    assert [set(env) for _, env in started] == [{"PYTHONPATH", "PYTHONUTF8"}]
