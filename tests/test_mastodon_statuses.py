"""Recorded Mastodon answers and streams become the right posts; odd ones become nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.collectors.mastodon_record import REMEMBERED, Record
from monitor.collectors.mastodon_statuses import BrokenError, EventReader, following, json_of, message_of, status_of
from monitor.collectors.mastodon_stream import streaming_base

SERVER = "https://mastodon.social"


def statuses_in(raw: Any) -> list[dict[str, Any]]:
    """Every status of an answer, wherever it stands."""
    if isinstance(raw, list):
        return [one for part in raw for one in statuses_in(part)]
    if not isinstance(raw, dict):
        return []
    own = [raw] if "content" in raw and "account" in raw and "uri" in raw else []
    return own + [one for value in raw.values() for one in statuses_in(value)]


def test_every_recorded_status_is_read(shared: Path) -> None:
    folder = shared / "wire/dev/mastodon"
    read = 0
    for file in sorted(folder.glob("*.json")):
        for raw in [] if file.name == "index.json" else statuses_in(json_of(file.read_bytes())):
            status = status_of(raw, SERVER, "m")
            public = (
                raw["visibility"] in ("public", "unlisted") and raw["reblog"] is None and (raw["content"] or raw["spoiler_text"])
            )
            assert (status is not None) == bool(public), f"{file.name} {raw['id']}"
            if status is None:
                continue
            read += 1
            assert (status.id, status.post.id, status.edited) == (raw["id"], raw["uri"], raw.get("edited_at") or "")
            assert (status.post.platform, status.post.url, status.post.lang) == ("mastodon", raw["url"], raw["language"])
            assert "<" not in status.post.text.replace("<3", "")
            assert status.post.text.startswith(raw["spoiler_text"].strip())
            assert status.post.author is not None
            assert status.post.author.startswith(raw["account"]["acct"])
            assert "@" in status.post.author
            assert status.post.created_at is not None
    assert read > 40


def test_what_a_recorded_timeline_says(shared: Path) -> None:
    raw = json.loads((shared / "wire/dev/mastodon/tag__pagination_iterator__31.json").read_text())
    found = [status.post for one in raw if (status := status_of(one, "http://localhost:3000", "m"))]
    assert len(found) == len(raw) == 10
    assert found[0].text.startswith("Toot number 29! #")
    assert (found[0].author, found[0].created_at) == ("mastodonpy_test_2@localhost:3000", 1_785_592_380_550)
    index = json.loads((shared / "wire/dev/mastodon/index.json").read_text())
    headers = next(one["headers"] for one in index if one["file"] == "tag__pagination_iterator__31.json")
    assert following({"Link": headers["link"]}) == raw[0]["id"]


def test_the_recorded_streams_are_read_in_any_pieces(shared: Path) -> None:
    for file in sorted((shared / "wire/dev/mastodon").glob("*.sse")):
        data = file.read_bytes()
        whole = list(EventReader().feed(data))
        reader = EventReader()
        assert [event for at in range(len(data)) for event in reader.feed(data[at : at + 1])] == whole
        assert data.count(b'\ndata: {"') + data.count(b"event: delete\n") >= len(whole) > 0
        for event in whole:
            if event.name == "update":
                assert status_of(json_of(event.data), SERVER, "m") is None or "uri" in event.data
    events = list(EventReader().feed((shared / "wire/dev/mastodon/streaming_delete_and_update_events.sse").read_bytes()))
    assert [event.name for event in events] == ["delete", "status.update"], "what has no data is no event, nor what was cut"
    assert events[0].data == "117020593741189701"


def test_server_sent_events_as_the_standard_has_them() -> None:
    reader = EventReader()
    assert [*reader.feed(b"event:update\r\ndata: {\r\ndata: }\r\n\r\n:thump\n\n\nid: 7\nevent: delete\ndata: 9\n")] == [
        type(next(EventReader().feed(b"event: a\ndata: b\n\n")))("update", "{\n}")
    ]
    assert [event.data for event in reader.feed(b"\n")] == ["9"]
    for endless in (b"x" * (1 << 21), b"event: update\n" + b"data: " + b"x" * 900_000 + b"\ndata: " + b"x" * 900_000 + b"\n"):
        with pytest.raises(BrokenError):
            list(EventReader().feed(endless))


def test_messages_of_the_websocket() -> None:
    found = message_of('{"stream":["hashtag"],"event":"update","payload":"{\\"id\\":\\"1\\"}"}')
    assert found is not None
    assert (found.name, found.data) == ("update", '{"id":"1"}')
    assert [message_of('{"event":"delete","payload":' + id_ + "}") for id_ in ('"17"', "17")] == [
        message_of('{"event":"delete","payload":"17"}')
    ] * 2
    for odd in (
        "{}",
        "",
        "[]",
        "7",
        '{"event":1,"payload":"x"}',
        '{"event":"update"}',
        '{"event":"update","payload":{}}',
        "[" * 9_999,
    ):
        assert message_of(odd) is None


def test_statuses_that_are_none(shared: Path) -> None:
    whole = json.loads((shared / "wire/dev/mastodon/tag__pagination_iterator__31.json").read_text())[0]
    assert status_of(whole, SERVER, "") is not None
    for change in (
        {"visibility": "private"}, {"visibility": "direct"}, {"visibility": 7}, {"visibility": []}, {"reblog": whole},
        {"id": 7}, {"id": "../x"}, {"id": None},
        {"uri": None, "url": None}, {"uri": "x" * 600}, {"content": ""},
        {"content": ["x"]}, {"content": "<p></p>", "spoiler_text": None},
    ):  # fmt: skip
        assert status_of(whole | change, SERVER, "") is None, change
    for change in (
        {"account": None},
        {"account": {"acct": 5}},
        {"created_at": "0000"},
        {"created_at": {}},
        {"language": 5},
        {"edited_at": 1},
    ):
        assert status_of(whole | change, SERVER, "") is not None, change
    for file in sorted((shared / "wire/dev/hostile").glob("*.json")):
        raw = json_of(file.read_bytes())
        assert status_of(raw, SERVER, "") is None
        status_of(whole | {"content": raw, "account": raw, "created_at": raw, "spoiler_text": raw}, SERVER, "")


def test_a_content_warning_is_the_title() -> None:
    raw = {
        "id": "1",
        "uri": "https://a.test/1",
        "content": "<p>It&#39;s <b>good</b><br>really</p>",
        "spoiler_text": "skin",
        "account": {},
    }
    status = status_of(raw, SERVER, "")
    assert status is not None
    assert status.post.text == "skin\n\nIt's good\nreally"


def test_where_servers_stream() -> None:
    assert streaming_base(SERVER, "wss://streaming.mastodon.social") == "https://streaming.mastodon.social"
    assert streaming_base("http://localhost:3000", "ws://localhost:4000") == "http://localhost:4000"
    assert streaming_base(SERVER, "ws://streaming.mastodon.social") == "https://streaming.mastodon.social", "never in the open"
    for odd in (None, 7, "", "ftp://x", "wss://", "wss://user@evil.test", "wss://[", "javascript:alert(1)"):
        assert streaming_base(SERVER, odd) == SERVER


def test_what_is_remembered_is_bounded() -> None:
    record = Record()
    for n in range(REMEMBERED * 2):
        status = status_of({"id": str(n), "uri": f"https://a.test/{n}", "content": "text"}, SERVER, "")
        assert status is not None
        record.newer(SERVER, status)
        record.gone(SERVER, f"unknown{n}")
    assert max(len(record.told), len(record.ids[SERVER])) == REMEMBERED
    assert len(record.dump()) < 300_000
