"""Recorded Jetstream frames, of both protocols, become the right posts and deletions; odd ones become nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from monitor.collectors.bluesky_frames import Event, Notice, read
from monitor.collectors.bluesky_zstd import FrameError, Unpacker
from tests.standins.jetstream import START_US, account, commit, train

DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"


def frame(event: dict[str, Any], us: int = START_US) -> bytes:
    return json.dumps({"time_us": us} | event).encode()


def event_of(event: dict[str, Any]) -> Event:
    found = read(frame(event), "")
    assert isinstance(found, Event)
    return found


def test_every_recorded_event_of_the_first_protocol_is_read(shared: Path) -> None:
    lines = [line for name in ("corpus", "golden") for line in (shared / f"wire/dev/bluesky/jetstream_v1_{name}.jsonl").open()]
    assert len(lines) == 79
    for line in lines:
        given, event = json.loads(line), read(line, "sky")
        assert isinstance(event, Event), line
        assert (event.did, event.us) == (given["did"], given["time_us"])
        made = given.get("commit", {})
        is_post = made.get("collection") == "app.bsky.feed.post"
        text = made.get("record", {}).get("text", "").strip()
        assert (event.post is not None) == bool(is_post and text), line
        assert event.gone == (is_post and made["operation"] == "delete")
        if event.post is not None:
            post = event.post
            assert (post.text, post.author, post.platform, post.source) == (text, given["did"], "bluesky", "sky")
            assert post.id == f"at://{given['did']}/app.bsky.feed.post/{made['rkey']}"
            assert post.url == f"https://bsky.app/profile/{given['did']}/post/{made['rkey']}"
            assert abs((post.created_at or 0) - given["time_us"] // 1000) < 60_000
    posts = [event for line in lines if (event := read(line, "")) and event.post]  # type: ignore[union-attr]
    assert len(posts) >= 3, "the recording holds posts"


def test_the_recorded_frames_of_the_second_protocol_are_read(shared: Path) -> None:
    lines = (shared / "wire/dev/bluesky/jetstream_v2_frames.jsonl").read_text().splitlines()
    found = [read(line, "") for line in lines]
    assert found[0] == Notice("OutdatedCursor", fatal=False)
    assert found[-1] == Notice("ConsumerTooSlow", fatal=True)
    assert [n for n, one in enumerate(found) if one is None] == [5], "the sixth is garbage"
    events = [one for one in found if isinstance(one, Event)]
    assert [one.seq for one in events] == list(range(1_000_000, 1_000_000 + len(events)))
    assert events[0].us == 1779719009132431


def test_recorded_posts_say_what_their_record_says(shared: Path) -> None:
    listed = json.loads((shared / "wire/dev/bluesky/listRecords_posts.json").read_text())["records"]
    assert listed
    for one in listed:
        did, rkey = one["uri"].split("/")[2], one["uri"].split("/")[-1]
        made = {"operation": "create", "collection": "app.bsky.feed.post", "rkey": rkey, "record": one["value"]}
        event = read(frame({"did": did, "kind": "commit", "commit": made}), "")
        assert isinstance(event, Event)
        assert (event.post is not None) == bool(one["value"]["text"].strip())
        if event.post is not None:
            assert (event.post.id, event.post.text) == (one["uri"], one["value"]["text"].strip())
            assert event.post.lang == (one["value"].get("langs") or [None])[0]


def test_an_edit_a_deletion_and_the_end_of_an_account() -> None:
    edit, deletion = event_of(commit(DID, "3k", "after", operation="update")), event_of(commit(DID, "3k"))
    assert edit.post is not None
    assert (edit.edited, edit.post.text, edit.gone) == (True, "after", False)
    assert (deletion.gone, deletion.uri, deletion.post) == (True, edit.post.id, None)
    assert event_of(commit(DID, "3k", "  ", operation="update")).gone, "an edit that leaves no words takes the old ones away"
    for status, closed in (("deleted", True), ("takendown", True), ("suspended", True), ("deactivated", True), (None, True),
                           ("throttled", False), ("desynchronized", False)):  # fmt: skip
        assert event_of(account(DID, status)).closed == closed, status
    assert not event_of(account(DID, None, active=True)).closed


def test_a_frame_unpacks_no_further_than_it_may() -> None:
    dictionary = train()
    unpacker = Unpacker(dictionary.as_bytes())
    for says_its_size in (True, False):
        packer = zstandard.ZstdCompressor(dict_data=dictionary, write_content_size=says_its_size)
        assert unpacker.unpack(packer.compress(b"0" * 1_000_000), 1_000_000) == b"0" * 1_000_000
        with pytest.raises(FrameError, match="more than 1000000 bytes"):
            unpacker.unpack(packer.compress(b"0" * 50_000_000), 1_000_000)
    with pytest.raises(FrameError):
        unpacker.unpack(zstandard.ZstdCompressor(dict_data=train(2, 7)).compress(b"by another dictionary"), 1_000)
    for none in (b"", b"no dictionary", b"<html>" * 5_000):
        with pytest.raises(ValueError, match="no dictionary"):
            Unpacker(none)


def test_a_post_cannot_pretend_to_be_old() -> None:
    heard = START_US // 1000

    def made(created: Any) -> int | None:
        post = event_of(commit(DID, "3k", "a text", createdAt=created)).post
        assert post is not None
        return post.created_at

    assert made("2026-09-21T13:53:00.000Z") == 1_789_998_780_000, "within the day before it was heard"
    for odd in (
        "2019-01-01T00:00:00Z",
        "2999-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-23:59",
        "soon",
        7,
        None,
        "9" * 10_000,
    ):
        assert made(odd) == heard, odd


@pytest.mark.parametrize(
    "odd",
    [
        b"", b"{not json", b"[]", b"null", b'"x"', b"{}", b"\xff\xfe", b'{"kind":"commit"}', b"[" * 100_000,
        b'{"$type":"message","payload":' * 5_000,
        frame({"did": "no did", "kind": "commit"}), frame({"did": DID, "kind": "commit", "commit": []}),
        frame({"did": DID, "kind": "commit"}, us=0), frame({"did": DID, "kind": "commit"}, us=10**40),
        frame({"did": 5, "kind": "commit"}), frame(commit(DID, "3k", "t") | {"time_us": "soon"}),
    ],
)  # fmt: skip
def test_what_is_no_event_is_none(odd: bytes) -> None:
    assert read(odd, "") is None


@pytest.mark.parametrize(
    "event",
    [
        commit(DID, "../../x", "a text"), commit(DID, "a b", "a text"), commit(DID, "", "a text"),
        commit(DID, "x" * 400, "a text"),
        commit(DID, "3k", "  \n "), commit(DID, "3k", "a text") | {"kind": "poll"},
        {"did": DID, "kind": "identity", "identity": {}},
        {"did": DID, "kind": "sync"}, {"did": DID, "kind": "account"},
        commit(DID, "3k", "a text", operation="merge") | {"commit": {"collection": "app.bsky.feed.like", "rkey": "3k"}},
    ],
)  # fmt: skip
def test_what_is_no_post_still_moves_the_cursor_on(event: dict[str, Any]) -> None:
    found = read(frame(event), "")
    assert isinstance(found, Event)
    assert (found.post, found.gone, found.closed, found.us) == (None, False, False, START_US)


def test_hostile_texts_are_read_and_hostile_json_is_left_out(shared: Path) -> None:
    strings = json.loads((shared / "wire/dev/hostile/naughty_strings.json").read_text())
    for text in (text for text in strings if isinstance(text, str)):
        event = read(frame(commit(DID, "3k", text)), "")
        assert isinstance(event, Event)
        assert (event.post.text if event.post else "") == text.strip()
    for file in sorted((shared / "wire/dev/hostile").glob("*.json")):
        read(file.read_bytes(), "")
        read(b'{"did":"%s","time_us":1790000000000000,"kind":"commit","commit":{"rkey":"3k","collection":"app.bsky.feed.post",'
             b'"operation":"create","record":{"text":%s}}}' % (DID.encode(), file.read_bytes()), "")  # fmt: skip
