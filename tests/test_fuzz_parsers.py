"""Each parser, and each platform's collector, under hostile data: refused by the errors that are foreseen, in time, or read."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from monitor.collectors.base import SourceError
from monitor.collectors.feed_parse import Request, parse
from monitor.collectors.http import Answer, read_json
from monitor.collectors.wire import seconds
from monitor.post_files import read_posts
from monitor.topic import TopicError
from monitor.topic.errors import MAX_FILE, MAX_YAML, parse_yaml, read_text
from tests.fuzz.parsers import PARSERS, try_one
from tests.fuzz.platforms import PLATFORMS, platform
from tests.test_second_topic import PACK

TRIES = 300
POLLS = 60


@pytest.mark.parametrize("name", PARSERS)
def test_sound_samples_are_read_and_changed_ones_are_read_or_refused(name: str) -> None:
    for sample in PARSERS[name].samples:
        PARSERS[name].parse(sample)
    for seed in range(TRIES):
        try_one(name, seed)


@pytest.mark.parametrize("name", PLATFORMS)
async def test_a_platform_that_answers_anything_makes_its_collector_fail_in_one_way_only(name: str, tmp_path: Path) -> None:
    async with platform(name, tmp_path) as heard:
        assert await heard(None) > 0, "the stand-in must have something to say, or nothing is shown"
        for seed in range(4 if name == "reddit" else POLLS):  # whose client pauses after an error
            await heard(seed)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 200_000, "nested too deeply"),
        ("- " * 200_000, "nested too deeply"),
        ("{a: " * 1_000 + "}" * 1_000, "nested too deeply"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "aliases"),
        ("a: " + "x" * MAX_YAML, "longer than"),
    ],
)
def test_a_pack_that_would_fill_the_memory_or_end_the_process_is_refused(text: str, why: str) -> None:
    with pytest.raises(TopicError, match=why):
        parse_yaml(text, Path("pack.yaml"))


def test_a_file_of_a_pack_has_an_end(tmp_path: Path) -> None:
    with (tmp_path / "topic.yaml").open("wb") as file:
        file.truncate(MAX_FILE + 1)
    with pytest.raises(TopicError, match="longer than 16 MB"):
        read_text(tmp_path / "topic.yaml")


def test_what_was_found_once(tmp_path: Path) -> None:
    """Bodies on which parsers gave up in ways that were not foreseen."""
    beyond = b"<rss><channel><item><title>serum &#x110000; &#99999999999;</title></item></channel>"
    assert parse(beyond, Request(url="http://x.test/")) is not None
    assert [row.error for row in read_posts(io.BytesIO(b"id,\xfftext\n1,x\n"), "a.csv")] == [
        "not UTF-8; nothing after it is read"
    ]
    assert seconds(10**400) is None
    claims = PACK["lexicon/claims/composition.yaml"].partition("sure:")[0]
    PARSERS["topic packs"].parse(f"lexicon/claims/composition.yaml\n{claims}sure:".encode())
    for body in (b'{"hits": "\xff"}', b"\xff"):
        with pytest.raises(SourceError, match="instead of data"):
            read_json(Answer(status=200, headers={}, body=body, url="http://x.test/"))


def test_what_only_looks_like_an_alias_is_taken() -> None:
    assert parse_yaml('a: "5 *star"\nb: R&D *really\n', Path("x")) == {"a": "5 *star", "b": "R&D *really"}
