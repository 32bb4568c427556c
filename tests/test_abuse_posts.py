"""Hostile posts: each is taken and stays harmless to the very end (API, page, table, CSV, webhook), or is named.

None stops another. All go in one replay file through one daemon, once for each database, and every row then looks for itself.
"""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from monitor.words import MAX_ID, MAX_TEXT
from tests.abuse import CONTROL, claim_of, post_of, quick_config, write_config
from tests.daemon_process import DaemonProcess, run_command, running_daemon
from tests.postgres import Postgres
from tests.receiver import Receiver

FIRST = 301  # the first row claims 301 per cent, the next 302: each row's alert is its own


@dataclass(frozen=True)
class Row:
    """A post, or a line of raw bytes. `said`: how the refusal begins; without, it is taken and `is_` looks at the mention."""

    name: str
    post: dict[str, Any] | bytes
    said: str = ""
    is_: Callable[[dict[str, Any]], bool] = lambda _: True
    stored_as: str = ""  # its id on the platform, where that is not the row's name


def text(name: str, hostile: str, is_: Callable[[dict[str, Any]], bool] = lambda _: True) -> Row:
    return Row(name, post_of(name, hostile + "\n\n"), is_=is_)


def having(name: str, is_: Callable[[dict[str, Any]], bool] = lambda _: True, stored_as: str = "", **values: Any) -> Row:
    return Row(name, post_of(name, "") | values, is_=is_, stored_as=stored_as or str(values.get("id", "")))


def refused(name: str, said: str, **values: Any) -> Row:
    return Row(name, post_of(name, claim_of(5)) | values, said)


def at(year: str) -> Callable[[dict[str, Any]], bool]:
    return lambda mention: str(mention["created_at"]).startswith(year)


TAKEN = [
    text("nul", "a\0b", lambda one: one["text"].startswith("a\ufffdb")),
    text("lone-surrogate", "a\ud800b\udfff", lambda one: one["text"].startswith("a\ufffdb\ufffd")),
    text("noncharacters", "\uffff\ufffe\U0010ffff"),
    text("terminal-escapes", "\x1b[2J\x1b]0;owned\x07\x1b[31mred\x9b31m", lambda one: "\x1b" not in one["text"]),
    text("right-to-left-override", "\u202e" * 500 + "lleh\u2066", lambda one: "lleh" in one["text"]),
    text("arabic-and-hebrew", "שלום عالم " * 200),
    text("zalgo", ("e" + "\u0301\u0489\u035c" * 40) * 50),
    text("combining-flood", "o" + "\u0338" * 50_000),
    text("zero-width-flood", "\u200b\u200d\ufeff" * 10_000),
    text("emoji-family-flood", "👨‍👩‍👧‍👦" * 3_000),
    text("one-endless-word", "x" * 90_000),
    text("cjk-flood", "".join(map(chr, range(0x3400, 0x4DB5))) * 6),
    text("expanding-ligatures", "\ufdfa" * 20_000),
    text("blank-lines", "\n\r\t " * 20_000),
    text("brackets", "([{<" * 10_000),
    text("quotation-marks", "\"'“”‘’«»" * 5_000),
    text("markup", "<script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}{% raw", lambda one: "<script>" in one["text"]),
    text("sql", "'; DROP TABLE mention; -- \" AND NOT NEAR(* ) OR 1=1"),
    text("format-strings", "%s%n%x {0} {__class__} $(reboot) `reboot` ${jndi:ldap://x}"),
    text("spreadsheet-formula", "=cmd|' /C calc'!A0"),
    Row("five-megabytes", post_of("five-megabytes", "") | {"title": claim_of(0), "text": "exosomes " * 600_000},
        is_=lambda one: len(one["text"]) == MAX_TEXT),
    having("surrogate-in-id", id="a\ud800", stored_as="a\ufffd"),
    having("nul-in-id", id="b\0", stored_as="b\ufffd"),
    having("newline-in-id", id="a\r\nSet-Cookie: x=1", stored_as="a\ufffd\ufffdSet-Cookie: x=1"),
    having("zero-width-id", id="a\u200bb\u202ec"),
    having("slashes-in-id", id="../../etc/passwd"),
    having("percent-in-id", id="%0d%0a%2e%2e?a=b&c#d"),
    having("longest-id", id="🐍" * MAX_ID),
    having("number-as-id", id=10**40),
    having("escape-in-author", author="\x1b]0;owned\x07jo"),
    having("surrogate-in-author", author="\udc00jo"),
    having("endless-author", author="jo" * 50_000),
    having("surrogate-in-title", title="\ud800 news"),
    having("surrogate-in-language", lang="e\ud800"),
    having("endless-language", lang="en" * 5_000),
    having("script-as-url", lambda one: one["url"] is None, url="javascript:alert(1)"),
    having("surrogate-in-url", lambda one: one["url"] is None, url="https://example.org/\ud800"),
    having("newline-in-url", lambda one: one["url"] is None, url="https://example.org/\r\nx: y"),
    having("endless-url", lambda one: one["url"] is None, url="https://example.org/" + "a" * 10_000),
    having("markup-in-url", url='https://example.org/"><script>alert(1)</script>'),
    having("broken-host-in-url", url="https://[::1/"),
    having("capital-platform", lambda one: one["platform"] == "forum", platform=" Forum\n"),
    having("year-1970", at("1970-01-01T00:00:00"), created_at=0),
    having("year-2100", at("2100-06-01T"), created_at="2100-06-01T00:00:00Z"),
    having("year-9999", at("9999-12-31T"), created_at="9999-12-31T23:59:59Z"),
    having("year-1", at("0001-01-01T"), created_at="0001-01-01T00:00:00+14:00"),
    having("unix-time-beyond-all-years", lambda one: one["created_at"] is None, created_at=1e300),
    having("unix-time-before-all-years", at("0001-01-01"), created_at=-8e12),
    having("unknown-keys", unknown={"deep": [[[]]]}, source="evil", fresh=False, is_=lambda one: one["source"] == "replay"),
]  # fmt: skip
RAW = json.dumps(post_of("{}", "exosomes"))


def raw(name: str, line: bytes) -> Row:
    """A line that must be taken although it is written oddly."""
    return Row(name, line.replace(b"{}", name.encode()))


ODD_LINES = [
    raw("byte-order-mark", b"\xef\xbb\xbf" + RAW.encode()),
    raw("doubled-key", RAW.replace('"id"', '"id": "other", "id"').encode()),
    raw("huge-exponent", RAW.replace('"id"', '"n": 1e999999, "id"').encode()),
    raw("carriage-return", RAW.encode() + b"\r"),
]
REFUSED = [
    Row("invalid-utf-8", b'{"platform": "forum", "id": "x", "text": "exosomes \xff\xfe"}', "not UTF-8"),
    Row("utf-16", RAW.encode("utf-16-le"), "not JSON"),
    Row("nul-bytes", b"\0" * 1000, "not JSON"),
    Row("deep-arrays", b"[" * 100_000, "not JSON"),
    Row("deep-objects", b'{"a":' * 100_000, "not JSON"),
    Row("deep-inside-a-post", b'{"platform": "forum", "id": "x", "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "not JSON"),
    Row("five-thousand-digits", b'{"platform": "forum", "text": "exosomes", "id": ' + b"9" * 5_000 + b"}", "not JSON"),
    Row("endless-line", b'{"platform": "forum", "id": "x", "text": "' + b"exosomes " * 1_500_000 + b'"}', "longer than"),
    Row("cut-off", b'{"platform": "forum", "id": "x", "text": "exos', "not JSON"),
    Row("a-list", b'["forum", "x", "exosomes"]', "a post is an object"),
    Row("a-number", b"7", "a post is an object"),
    refused("text-is-a-list", '"text" is not text', text=["exosomes"]),
    refused("text-is-an-object", '"text" is not text', text={"exosomes": 1}),
    refused("text-is-true", '"text" is not text', text=True),
    refused("text-is-null", '"text" is missing', text=None),
    refused("id-is-true", '"id" is not text', id=True),
    refused("id-is-a-fraction", '"id" is not text', id=1.5),
    refused("id-is-blank", '"id" is missing', id=" \n"),
    refused("id-too-long", f'"id" is longer than {MAX_ID}', id="x" * (MAX_ID + 1)),
    refused("platform-with-slash", '"platform" is a short name', platform="a/b"),
    refused("platform-with-dots", '"platform" is a short name', platform="../etc"),
    refused("platform-in-cyrillic", '"platform" is a short name', platform="rеddit"),
    refused("platform-too-long", '"platform" is a short name', platform="x" * 33),
    refused("platform-with-colon", '"platform" is a short name', platform="a:b"),
    refused("year-0", '"created_at" is a time', created_at="0000-01-01T00:00:00Z"),
    refused("year-99999", '"created_at" is a time', created_at="99999-01-01T00:00:00Z"),
    refused("time-is-not-a-number", '"created_at" is a time', created_at=float("nan")),
    refused("time-is-infinite", '"created_at" is a time', created_at=float("inf")),
    refused("time-is-a-list", '"created_at" is a time', created_at=[2026]),
    refused("author-is-an-object", '"author" is not text', author={"name": "jo"}),
]
ROWS = [*TAKEN, *ODD_LINES, *REFUSED]
EDITED = [post_of("edited", f"exosomes, {text}") for text in ("first", "then", "then", "first", "at last")]


def line_of(place: int, row: Row) -> bytes:
    if isinstance(row.post, bytes):
        return row.post
    told = row.post
    if not row.said:
        told = {
            key: value.replace(claim_of(0), claim_of(FIRST + place)) if isinstance(value, str) else value
            for key, value in told.items()
        }
        if claim_of(FIRST + place) not in str(told.get("title")):
            told = told | {"text": told["text"] + claim_of(FIRST + place)}
    return json.dumps(told).encode()


@dataclass
class Seen:
    """What a user of that daemon saw in the end."""

    status: int = 0
    out: str = ""
    err: list[str] = field(default_factory=list)
    mentions: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_own_id: dict[str, int] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    printed: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    log: str = ""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("posts")
    if request.param == "sqlite":
        return asyncio.run(play(folder, write_config))
    postgres: Postgres = request.getfixturevalue("postgres_server")
    return asyncio.run(play(folder, partial(quick_config, store=postgres.fresh_database())))


async def play(folder: Path, configured: Callable[..., Path]) -> Seen:
    lines = [line_of(place, row) for place, row in enumerate(ROWS)] + [json.dumps(post).encode() for post in EDITED]
    file = folder / "posts.jsonl"
    file.write_bytes(b"\n".join(lines))
    seen = Seen()
    expected = len(TAKEN) + len(ODD_LINES) + 1
    async with Receiver() as receiver, running_daemon(configured(folder, hook=receiver.url)) as daemon:
        seen.status, seen.out, err = await daemon.command("replay", str(file))
        seen.err = err.splitlines()
        assert seen.out, err
        page = await daemon.until(
            "/mentions?limit=500",
            lambda page: len(page["items"]) >= expected and any(one["text"] == "exosomes, at last" for one in page["items"]),
        )
        seen.mentions = {one["platform_id"]: one for one in page["items"]}
        await daemon.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)
        seen.events = {got.event["data"]["claim"]["claim"]: got.event for got in receiver.kept}
        await look(daemon, seen)
        for how in ("table", "csv"):
            seen.printed[how] = await daemon.command("mentions", "--limit", "500", "--format", how)
        seen.log = daemon.log()
    return seen


async def look(daemon: DaemonProcess, seen: Seen) -> None:
    async with aiohttp.ClientSession() as session:
        for platform_id in seen.mentions:
            async with session.get(f"{daemon.address}/api/v1/mentions/forum:{quote(platform_id, safe='')}") as answer:
                seen.by_own_id[platform_id] = answer.status
        addresses = ["/", *(f"/claims/{event['data']['claim']['id']}" for event in seen.events.values())]
        for address in addresses:
            async with session.get(daemon.address + address, headers={"Accept": "text/html"}) as answer:
                seen.pages[address.rpartition("/")[2]] = (
                    await answer.text() if answer.status == 200 else f"status {answer.status}"
                )


def numbered(rows: list[Row]) -> list[Any]:
    return [pytest.param(ROWS.index(row), row, id=row.name) for row in rows]


@pytest.mark.parametrize(("place", "row"), numbered(TAKEN))
def test_a_hostile_post_is_taken_and_harmless_to_the_end(seen: Seen, place: int, row: Row) -> None:
    assert not [line for line in seen.err if line.startswith(f"line {place + 1}:")]
    key = row.stored_as or row.name
    mention = seen.mentions[key]
    assert row.is_(mention), {name: str(value)[:200] for name, value in mention.items()}
    assert seen.by_own_id[key] == 200

    event = seen.events[f"Exosome treatment raises collagen production by {FIRST + place} per cent."]
    data = event["data"]
    assert data["mention"]["platform_id"] == key
    assert str(FIRST + place) in data["occurrence"]["quote"]
    assert not CONTROL.search(data["occurrence"]["quote"])

    page = seen.pages[data["claim"]["id"]]
    assert html.escape(claim_of(FIRST + place)) in page or str(FIRST + place) in page
    assert "<script>alert" not in page
    assert "onerror=alert(1)>" not in page


@pytest.mark.parametrize(("place", "row"), numbered(ODD_LINES))
def test_a_line_that_is_written_oddly_is_taken(seen: Seen, place: int, row: Row) -> None:
    assert seen.mentions[row.name]["text"] == "exosomes"


@pytest.mark.parametrize(("place", "row"), numbered(REFUSED))
def test_a_line_that_is_no_post_is_named_in_one_sentence(seen: Seen, place: int, row: Row) -> None:
    (said,) = [line for line in seen.err if line.startswith(f"line {place + 1}: ")]
    assert said.startswith(f"line {place + 1}: {row.said}")
    assert len(said) < 300
    assert not CONTROL.search(said)


def test_the_count_says_what_became_of_every_line(seen: Seen) -> None:
    assert seen.status == 1
    taken = len(TAKEN) + len(ODD_LINES) + 3  # a text that comes a second time is a duplicate, unless it is the last that was said
    assert seen.out == f"accepted {taken}, duplicates 2, unmatched 0\n"
    assert seen.err[-1] == f"{len(REFUSED)} bad lines were left out"
    assert len(seen.err) == len(REFUSED) + 1


def test_an_id_that_comes_again_with_another_text_is_an_edit(seen: Seen) -> None:
    mention = seen.mentions["edited"]
    assert (mention["text"], mention["state"]) == ("exosomes, at last", "edited")


def test_each_claim_was_alerted_once(seen: Seen) -> None:
    assert sum("per cent" in claim for claim in seen.events) == len(TAKEN), "what a hostile text claims besides is its own"


def test_nothing_steers_the_terminal_or_the_spreadsheet(seen: Seen) -> None:
    for how in ("table", "csv"):
        status, out, err = seen.printed[how]
        assert (status, err) == (0, "")
        assert not CONTROL.search(out), how
    assert "\n=cmd" not in seen.printed["csv"][1]
    assert ",=cmd" not in seen.printed["csv"][1]


def test_nothing_went_wrong_inside(seen: Seen) -> None:
    for line in seen.log.splitlines():
        assert json.loads(line)["level"] == "info", line


async def test_classify_judges_or_names_each_of_them(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b"\n".join(line_of(place, row) for place, row in enumerate(ROWS)))
    status, out, err = await run_command("classify", str(file))
    assert status == 1
    judged = [json.loads(line) for line in out.splitlines()]
    named = err.splitlines()
    assert len(judged) + len(named) == len(ROWS)
    assert all(line.startswith("exowatch: line ") and len(line) < 300 and not CONTROL.search(line) for line in named)
    quotes = {one["id"]: [claim["quote"] for claim in one["claims"]] for one in judged}
    for place, row in enumerate(TAKEN):
        if row.name in quotes:
            assert any(str(FIRST + place) in quote for quote in quotes[row.name]), row.name
