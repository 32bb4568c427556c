"""The one door into the stream: what may come in, what is left out, and what is hidden on the way."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from monitor.intake import Intake, Offered, PostError, bounded, post_from
from monitor.pseudonyms import Pseudonyms, PseudonymsError, pseudonyms_of
from monitor.settings import Settings
from monitor.stream import Stream
from monitor.stream.sayings import MOST_CHANGES
from monitor.words import MAX_TEXT, Post, decode_post
from tests import shipped


@pytest.fixture(scope="module")
def keywords() -> Any:
    return shipped.topic().keywords


def post(key: str, text: str, **more: Any) -> Post:
    return Post(platform="forum", id=key, text=text, **more)


async def published(stream: Stream) -> list[Post]:
    reader = stream.reader("test")
    try:
        return [decode_post(entry.data) for entry in await reader.read(100, 0.1)]
    finally:
        await reader.close()


async def test_only_what_is_on_topic_gets_in_and_only_once(stream: Stream, keywords: Any) -> None:
    intake = Intake(stream, keywords, Pseudonyms("pseudonym", b"key"))
    posts = [
        post("1", "Exosomes are great", author="jo"),
        post("2", "Bread is great", author="jo"),
        post("1", "Exosomes are great", author="jo"),
    ]
    assert await intake.offer(posts, source="s", cursor="c1") == Offered(accepted=1, duplicates=1, unmatched=1)
    assert await intake.offer(posts, source="s", cursor="c2") == Offered(accepted=0, duplicates=2, unmatched=1)
    assert await intake.offer([post("1", "Exosomes are great, edited")], source="s") == Offered(accepted=1)
    assert await stream.cursor("s") == "c2"
    first, second = await published(stream)
    assert (first.id, first.source, second.text) == ("1", "s", "Exosomes are great, edited")


async def texts(stream: Stream) -> list[str]:
    """The texts that came in since this was last asked."""
    reader = stream.reader("test")
    try:
        entries = await reader.read(100, 0.1)
        await reader.settle(entries, {})
        return [decode_post(entry.data).text for entry in entries]
    finally:
        await reader.close()


async def test_an_edit_that_is_taken_back_is_heard(stream: Stream, keywords: Any) -> None:
    first, edited, other = (post("1", f"Exosomes are {word}") for word in ("great", "dangerous", "fine"))

    async def say(*posts: Post, source: str = "s") -> tuple[int, list[str]]:
        intake = Intake(stream, keywords, Pseudonyms("pseudonym", b"key"))  # what counts is kept in Redis
        offered = await intake.offer(posts, source=source, cursor=f"after {posts[-1].text}")
        return offered.accepted, await texts(stream)

    for one in (first, edited, first, edited):
        assert await say(one) == (1, [one.text])
        assert await say(one) == (0, []), "it merely comes again"
    assert await say(first, edited) == (0, []), "nothing has changed when both came"
    assert await say(other, edited) == (2, [other.text, edited.text]), "the last one counts"
    assert await stream.cursor("s") == f"after {edited.text}"
    assert await say(first, source="another") == (0, []), "a source that always said so takes nothing back"
    assert await say(first, source="another") == (0, [])


async def test_a_post_that_changes_without_end_is_not_followed_for_ever(stream: Stream, keywords: Any) -> None:
    intake = Intake(stream, keywords, Pseudonyms("pseudonym", b"key"))
    both = post("1", "Exosomes are great"), post("1", "Exosomes are dangerous")
    heard = [(await intake.offer([both[n % 2]], source="s")).accepted for n in range(MOST_CHANGES + 10)]
    assert heard == [1] * (MOST_CHANGES + 1) + [0] * 9


async def test_authors_are_hidden_before_they_reach_the_stream(stream: Stream, keywords: Any) -> None:
    for how in ("pseudonym", "plain", "none"):
        intake = Intake(stream, keywords, Pseudonyms(how, b"key"))
        await intake.offer([post(how, "exosomes", author="Jo Doe")], source="s")
    by_id = {one.id: one.author for one in await published(stream)}
    assert by_id["plain"] == "Jo Doe"
    assert by_id["none"] is None
    assert by_id["pseudonym"] not in (None, "Jo Doe")


def test_a_pseudonym_is_stable_and_depends_on_platform_and_key() -> None:
    one, other = Pseudonyms("pseudonym", b"k1"), Pseudonyms("pseudonym", b"k2")
    assert one.of("reddit", "jo") == one.of("reddit", "jo")
    assert len({one.of("reddit", "jo"), one.of("tiktok", "jo"), other.of("reddit", "jo"), one.of("reddit", "mo")}) == 4
    assert one.of("reddit", None) is None


def test_the_pseudonyms_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert pseudonyms_of(settings).of("x", "jo") == pseudonyms_of(settings).of("x", "jo")
    assert (tmp_path / "author.key").stat().st_mode & 0o777 == 0o600


def test_a_post_is_read_as_the_contract_has_it() -> None:
    raw = {"platform": "Reddit", "id": 7, "title": "T", "text": "Body", "created_at": "2026-01-02T03:04:05+01:00", "lang": "en"}
    read = post_from(raw)
    assert (read.platform, read.id, read.text) == ("reddit", "7", "T\n\nBody")
    assert read.created_at == 1767319445000


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "object"),
        ({"id": "1", "text": "x"}, "platform"),
        ({"platform": "x", "text": "x"}, "id"),
        ({"platform": "x", "id": "1"}, "text"),
        ({"platform": "x", "id": "1", "text": "  "}, "text"),
        ({"platform": "x", "id": "1", "text": 5}, "text"),
        ({"platform": "a b", "id": "1", "text": "x"}, "platform"),
        ({"platform": "x", "id": "1" * 600, "text": "x"}, "id"),
        ({"platform": "x", "id": "1", "text": "x", "created_at": "soon"}, "created_at"),
        ({"platform": "x", "id": "1", "text": "x", "created_at": {}}, "created_at"),
    ],
)
def test_a_post_that_cannot_be_taken_is_named(raw: Any, said: str) -> None:
    with pytest.raises(PostError, match=said):
        post_from(raw)


def test_hostile_posts_are_bounded() -> None:
    wild = post("1\0", "a\0b\ud800c" + "x" * 200_000, url="javascript:alert(1)", author="n" * 1000, created_at=10**30)
    tame = bounded(wild)
    assert tame.id == "1\ufffd"
    assert tame.text.startswith("a\ufffdb\ufffdc")
    assert len(tame.text) == MAX_TEXT
    assert (tame.url, tame.created_at) == (None, None)
    assert len(tame.author or "") == 256
    assert bounded(post("1", "x", url="https://example.org/a?b=c")).url == "https://example.org/a?b=c"
    assert bounded(post("1", "x", url="https://example.org/a b")).url is None


def test_processes_that_start_together_make_one_key(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with ThreadPoolExecutor(16) as threads:
        made = [threads.submit(lambda: pseudonyms_of(settings).of("forum", "ada")) for _ in range(64)]
        assert len({one.result() for one in made}) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["author.key"]


@pytest.mark.parametrize("left", [b"", b"abc\n"])
def test_half_a_key_hides_nobody_and_is_refused(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "author.key").write_bytes(left)
    with pytest.raises(PseudonymsError, match=r"author.key holds no key"):
        pseudonyms_of(Settings(data_dir=tmp_path))


async def test_an_edit_that_leaves_the_topic_is_judged_anew_where_the_post_is_known(stream: Stream, keywords: Any) -> None:
    class OneKnown:
        def __init__(self) -> None:
            self.asked: list[str] = []

        async def known(self, posts: Sequence[Post]) -> set[tuple[str, str]]:
            self.asked += [one.id for one in posts]
            return {("forum", "1"), ("forum", "3")}

    record = OneKnown()
    intake = Intake(stream, keywords, Pseudonyms("none"), None, record)
    posts = [
        post("1", "Bread after all", edited=True),
        post("2", "Bread, edited", edited=True),
        post("3", "Bread that nobody edited"),
        post("4", "Exosomes, edited", edited=True),
    ]
    assert (await intake.offer(posts[2:3], source="s")).unmatched == 1
    assert record.asked == [], "a post that is no edit costs no look"
    assert await intake.offer(posts[:2] + posts[3:], source="s") == Offered(accepted=2, unmatched=1)
    assert record.asked == ["1", "2"]
    assert [(one.id, one.edited) for one in await published(stream)] == [("1", False), ("4", False)]
