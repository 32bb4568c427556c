"""Lemmy, both of its APIs, through the real client over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.collectors import open_collector
from monitor.collectors.base import Batch, Collector, SourceError, Verifies
from monitor.collectors.lemmy_api import view_of
from monitor.notices import Gone
from monitor.settings.sources.lemmy import LemmySource
from tests.standins.interrupted import interrupted
from tests.standins.lemmy_server import HOME, LemmyStandin
from tests.standins.polling import fails, heard, poll, texts
from tests.standins.scripted import Reply

DAY = 86_400


@pytest.fixture(params=[3, 4])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[LemmyStandin]:
    async with LemmyStandin(request.param) as made:
        yield made


@pytest.fixture
async def collector(server: LemmyStandin) -> AsyncIterator[Collector]:
    made = open_collector(source(server))
    assert not hasattr(made, "stream")
    yield made
    await made.close()


def source(server: LemmyStandin, **more: Any) -> LemmySource:
    values = {"kind": "lemmy", "name": "lemmy", "servers": [HOME], "queries": ["serum"], "base_url": server.origin}
    return LemmySource(**(values | more))


def deleted(batches: list[Batch]) -> list[Gone]:
    return [gone for batch in batches for gone in batch.deleted]


async def test_posts_and_comments_become_posts(server: LemmyStandin, collector: Collector) -> None:
    post = server.post("Serum at <home>", "It *works*.\r\n\r\nReally.", age=120)
    comment = server.comment("no serum does", author="bob", home="other.test", age=60)
    server.comment("another subject")
    posts, _ = await heard(collector)
    assert [(one.platform, one.id, one.text, one.author, one.url) for one in posts] == [
        ("lemmy", post, "Serum at <home>\n\nIt *works*.\n\nReally.", f"ann@{HOME}", post),
        ("lemmy", comment, "no serum does", "bob@other.test", comment),
    ]
    assert posts[0].created_at is not None
    assert abs(posts[0].created_at / 1000 - (time.time() - 120)) < 30


async def test_a_stop_is_caught_up_over_many_pages_and_nothing_comes_twice(server: LemmyStandin, collector: Collector) -> None:
    server.post("serum zero", age=6 * DAY)
    server.post("serum of long ago", age=20 * DAY)
    first, cursor = await texts(collector)
    assert first == ["serum zero"]
    assert (await texts(collector, cursor))[0] == []
    ids = [server.comment(f"serum {number}", age=5 * DAY - number * 60) for number in range(170)]
    state = json.loads(cursor)
    cursor = json.dumps(state | {"until": {name: int((time.time() - 5.5 * DAY) * 1000) for name in state["until"]}})
    batches = await poll(collector, cursor)
    assert [post.id for batch in batches for post in batch.posts] == ids
    assert all(batch.gap is None for batch in batches)
    covered = batches[-1].covered
    assert covered is not None
    assert covered.since is not None
    assert covered.since < (time.time() - 6 * DAY) * 1000
    assert (await texts(collector, batches[-1].cursor))[0] == []


async def test_what_servers_hear_late_comes_late(server: LemmyStandin, collector: Collector) -> None:
    server.post("serum", age=60)
    _, cursor = await texts(collector)
    server.post("serum from afar", age=2 * DAY, home="slow.test")
    batches = await poll(collector, cursor)
    assert [post.text for batch in batches for post in batch.posts] == ["serum from afar"]
    assert sum(batch.late for batch in batches) == 1


async def test_an_edit_comes_again_and_a_deletion_is_told(server: LemmyStandin, collector: Collector) -> None:
    post, comment = server.post("a serum", "old"), server.comment("serum!")
    _, cursor = await texts(collector)
    server.edit(post, body="new")
    server.delete(comment, shown=True)
    batches = await poll(collector, cursor)
    assert [(one.id, one.text) for batch in batches for one in batch.posts] == [(post, "a serum\n\nnew")]
    assert deleted(batches) == [Gone(platform="lemmy", post=comment)]
    batches = await poll(collector, batches[-1].cursor)
    assert deleted(batches) == []


async def test_more_than_the_pages_that_are_read_is_a_gap(server: LemmyStandin, collector: Collector) -> None:
    for number in range(1_050):
        server.comment(f"serum {number}", age=3 * DAY - number)
    oldest_read = sorted(view["comment"]["published"] for view in server.views.values())[50]
    batches = await poll(collector)
    (gap,) = [batch.gap for batch in batches if batch.gap is not None]
    posts = [post for batch in batches for post in batch.posts]
    assert len(posts) == 1_000
    assert gap.until == posts[0].created_at
    assert oldest_read.startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime((gap.until or 0) // 1000)))
    assert gap.since is not None
    assert gap.since < (time.time() - 6 * DAY) * 1000
    assert all(batch.covered is None for batch in batches)


async def test_a_server_that_fails_does_not_keep_another_from_being_read(server: LemmyStandin) -> None:
    collector = open_collector(source(server, servers=["down.test", HOME]))
    post = server.post("serum")
    server.next(Reply(500))
    batches, cursor, problem = await interrupted(collector)
    assert [one.id for batch in batches for one in batch.posts] == [post]
    assert "trouble" in str(problem)
    assert (await texts(collector, cursor))[0] == []
    await collector.close()


async def test_a_server_is_updated_while_we_listen(server: LemmyStandin, collector: Collector) -> None:
    server.post("serum one")
    _, cursor = await texts(collector)
    server.version = 7 - server.version
    await fails(collector, cursor)
    server.post("serum two")
    assert (await texts(collector, cursor))[0] == ["serum two"]


async def test_what_is_deleted_or_removed_is_not_there(server: LemmyStandin, collector: Collector) -> None:
    ids = [
        server.post("serum 1"),
        server.post("serum 2"),
        server.comment("serum 3"),
        server.comment("serum 4"),
        server.post("serum 5", home="b.test"),
        server.comment("serum 6", home="b.test"),
        server.comment("serum 7", home="b.test"),
    ]
    server.delete(ids[1])
    server.delete(ids[3], "removed")
    server.delete(ids[6])
    assert isinstance(collector, Verifies)
    there = await collector.still_there([*ids, "https://b.test/comment/1"])
    assert there == {ids[0], ids[2], ids[4], ids[5]}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404),
        Reply(404, "<html>no</html>"),
        Reply(400, '{"error": "rate_limit_error"}'),
        Reply(500, '{"error": "internal_server_error"}'),
        Reply(200, "{}"),
        Reply(200, "[]"),
        Reply(200, '{"post_view": {"post": {"name": "x", "ap_id": "https://other.test/post/1"}}}'),
    ],
)
async def test_an_answer_in_doubt_erases_nothing(server: LemmyStandin, collector: Collector, reply: Reply) -> None:
    ids = [server.post("serum"), server.post("serum", home="b.test")]
    server.next(None, None, reply)
    assert isinstance(collector, Verifies)
    with pytest.raises(SourceError):
        await collector.still_there(ids)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(429, '{"error": "rate_limit_error"}', {"Retry-After": "90"}), "fewer requests"),
        (Reply(400, '{"error": "rate_limit_error"}'), "fewer requests"),
        (Reply(500, '{"error": "internal_server_error"}'), "trouble"),
        (Reply(200, "<html>"), "web page"),
        (Reply(200, "[]"), "not Lemmy's"),
        (Reply(200, '{"posts": 5}'), "not Lemmy's"),
    ],
)
async def test_what_goes_wrong_is_said_and_nothing_is_lost(
    server: LemmyStandin, collector: Collector, reply: Reply, said: str
) -> None:
    server.post("serum")
    server.next(None, reply)
    problem = await fails(collector)
    assert said in str(problem)
    if "fewer" in said:
        assert problem.retry_after == (90 if reply.status == 429 else 120)
    assert (await texts(collector))[0] == ["serum"]


@pytest.mark.parametrize(
    "view",
    [
        {},
        {"post": 5},
        {"post": {"ap_id": "javascript:alert(1)", "name": "x"}},
        {"post": {"ap_id": "https://[::1/post/1", "name": "x"}},
        {"post": {"ap_id": "https://a.test/post/1 2", "name": "x"}},
        {"post": {"ap_id": "https://a.test/" + "x" * 600, "name": "x"}},
        {"post": {"ap_id": "https://a.test/post/1", "name": None}},
    ],
)
def test_views_of_another_shape_are_left_out(view: dict[str, Any]) -> None:
    assert view_of(view, "lemmy")[:2] == (None, None)


def test_recorded_views_become_posts(shared: Path) -> None:
    recorded = shared / "wire" / "dev" / "lemmy"
    v3 = json.loads((recorded / "v3_post_list.json").read_bytes())["posts"]
    v4 = json.loads((recorded / "v4_comment_list.json").read_bytes())["items"]
    posts = [view_of(view, "lemmy")[0] for view in v3 + v4]
    assert len(posts) == 4
    for view, post in zip(v3 + v4, posts, strict=True):
        said = view.get("comment") or view["post"]
        assert post is not None
        assert post.id == post.url == said["ap_id"]
        assert post.author == f"{view['creator']['name']}@{said['ap_id'].split('/')[2]}"
        assert post.text == "\n\n".join(filter(None, (said.get("name"), said.get("body"), said.get("content"))))
        assert post.created_at is not None
        assert time.gmtime(post.created_at / 1000)[:2] == (2026, 6)


async def test_a_recorded_error_is_said(shared: Path, server: LemmyStandin, collector: Collector) -> None:
    body = (shared / "wire" / "dev" / "lemmy" / "err500_internal.json").read_bytes()
    server.next(None, Reply(500, body, {"Content-Type": "application/json"}))
    assert "trouble" in str(await fails(collector))
