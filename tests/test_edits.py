"""Edits that take the topic's words out: what was said before leaves the record all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.collectors.bluesky_frames import Event, read
from monitor.collectors.lemmy_api import view_of
from monitor.collectors.mastodon_statuses import status_of
from monitor.collectors.reddit import post_of
from monitor.deletions import Eraser
from monitor.edits import Record
from monitor.intake import Intake, Offered
from monitor.notices import Gone
from monitor.pseudonyms import Pseudonyms
from monitor.store import Database
from monitor.stream import Stream
from monitor.words import Post
from tests import shipped
from tests.daemon_process import running_daemon
from tests.standins.feed_server import FeedEntry, FeedServer
from tests.test_deletions import HIDDEN, said, write

NOT_OURS = "I bake bread now."


async def test_what_was_said_before_the_edit_is_gone(tmp_path: Path) -> None:
    async with FeedServer() as feed:
        feed.entries = [FeedEntry(title="News", body="Our exosomes regrow hair in four weeks.", id="https://feed.test/1")]
        config = tmp_path / "monitor.toml"
        config.write_text(
            f'data_dir = "var"\n[api]\nport = 0\n[[source]]\nname = "press"\nkind = "feed"\nurl = "{feed.url}"\ninterval = "2s"\n'
        )
        async with running_daemon(config) as daemon:
            said = await daemon.until("/mentions", lambda answer: answer["items"] and answer["items"][0]["claims"])
            feed.entries = [
                FeedEntry(title="News", body=NOT_OURS, id="https://feed.test/1"),
                FeedEntry(title="Another", body=NOT_OURS, id="https://feed.test/2"),
            ]
            now = await daemon.until("/mentions", lambda answer: answer["items"][0]["state"] == "edited")
            (mention,) = now["items"]
            assert mention["id"] == said["items"][0]["id"]
            assert (mention["text"], mention["claims"], mention["relevant"]) == (f"News\n\n{NOT_OURS}", [], False)


async def test_who_is_on_record_is_known_long_after_and_who_was_erased_is_not(database: Database, stream: Stream) -> None:
    await write(database, said("a", "jo"), said("b", "mo", n=1))
    await Eraser(stream, database, HIDDEN).erase([Gone(platform="reddit", post="b")])
    intake = Intake(stream, shipped.topic().keywords, Pseudonyms("none"), None, Record(stream, database))
    edits = [Post(platform=platform, id=key, text=NOT_OURS, edited=True) for platform, key in
             (("reddit", "a"), ("reddit", "b"), ("reddit", "c"), ("tiktok", "a"))]  # fmt: skip
    assert await intake.offer(edits, source="s") == Offered(accepted=1, unmatched=3)
    assert await intake.offer([Post(platform="tiktok", id="new", text="exosomes")], source="s") == Offered(accepted=1)
    waiting = Post(platform="tiktok", id="new", text=NOT_OURS, edited=True)
    assert await intake.offer([waiting], source="s") == Offered(accepted=1), "also what no worker has judged yet"


def _bluesky(edited: bool) -> Post | None:
    commit = {"rev": "3", "operation": "update" if edited else "create", "collection": "app.bsky.feed.post", "rkey": "3k"}
    record = {"$type": "app.bsky.feed.post", "text": NOT_OURS, "createdAt": "2026-11-22T10:00:00Z"}
    frame = {"did": "did:plc:a", "time_us": 1779719009157119, "kind": "commit", "commit": commit | {"record": record}}
    event = read(msgspec.json.encode(frame), "sky")
    assert isinstance(event, Event)
    return event.post


def _mastodon(edited: bool) -> Post | None:
    raw = {"id": "1", "uri": "https://m.test/1", "visibility": "public", "content": f"<p>{NOT_OURS}</p>"}
    status = status_of(raw | {"edited_at": "2026-11-22T10:00:00Z" if edited else None}, "https://m.test", "m")
    return status.post if status else None


def _reddit(edited: bool) -> Post | None:
    return post_of({"name": "t1_a", "body": NOT_OURS, "author": "jo", "edited": 1.7e9 if edited else False}, "r")


def _lemmy(edited: bool) -> Post | None:
    post = {"ap_id": "https://l.test/post/1", "name": NOT_OURS, "updated": "2026-11-22T10:00:00Z" if edited else None}
    return view_of({"post": post}, "l")[0]


@pytest.mark.parametrize("made", [_bluesky, _mastodon, _reddit, _lemmy])
def test_platforms_that_say_so_mark_an_edit(made: Callable[[bool], Any]) -> None:
    edited, plain = made(True), made(False)
    assert (edited.text, edited.edited, plain.edited) == (NOT_OURS, True, False)
