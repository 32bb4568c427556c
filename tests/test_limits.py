"""The limits of the threat model's table that no other test shows: what lies beyond is left out or refused."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from monitor.collectors import folder, open_collector
from monitor.collectors.feed_parse import MAX_ENTRIES, Request, parse
from monitor.collectors.mastodon_statuses import MOST_EVENT, BrokenError, EventReader
from monitor.lines import MAX_LINE
from monitor.post_files import read_posts
from monitor.settings.sources import FolderSource
from tests.standins.polling import heard

GOOD = '{"platform": "forum", "id": "%d", "text": "serum"}\n'


@pytest.mark.parametrize("name", ["posts.jsonl", "posts.csv"])
def test_a_line_without_end_is_one_error(name: str) -> None:
    first = GOOD % 1 if name.endswith("l") else "platform,id,text\nforum,1,serum\n"
    rows = list(read_posts(io.BytesIO(first.encode() + b"x" * (MAX_LINE * 2) + b"\n" + (GOOD % 2).encode()), name))
    assert rows[0].post is not None
    assert "longer than 10,000,000 bytes" in str(rows[1].error)
    # Of CSV it cannot be said where the next row begins.
    assert [row.post.id for row in rows[2:] if row.post] == (["2"] if name.endswith("l") else [])


async def test_a_folder_of_too_many_files_is_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_FILES", 3)
    monkeypatch.setattr(folder, "STILL_S", -1.0)
    for number in range(5):
        (tmp_path / f"{number}.jsonl").write_text(GOOD % number)
    collector = open_collector(FolderSource(kind="folder", name="inbox", path=str(tmp_path), platform="forum"))
    posts, _ = await heard(collector)
    assert [post.id for post in posts] == ["0", "1", "2"]


def test_a_feed_of_too_many_entries_is_cut_and_says_so() -> None:
    items = "".join(f"<item><guid>{n}</guid><title>serum {n}</title></item>" for n in range(MAX_ENTRIES + 7))
    found = parse(f'<rss version="2.0"><channel>{items}</channel></rss>'.encode(), Request(url="http://x.test/"))
    assert (len(found.entries), found.left_out) == (MAX_ENTRIES, 7)


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 1_000 + b"\n", b"data:\n" * 1_000, b"x" * 1_000])
def test_an_event_of_a_stream_has_an_end(piece: bytes) -> None:
    reader = EventReader()

    def stream() -> None:
        for _ in range(MOST_EVENT // 500):
            assert list(reader.feed(piece)) == []

    with pytest.raises(BrokenError):
        stream()


def test_events_that_end_go_on_for_ever() -> None:
    reader = EventReader()
    event = b"event: update\ndata: " + b"x" * 10_000 + b"\n\n"
    assert sum(len(list(reader.feed(event))) for _ in range(500)) == 500
