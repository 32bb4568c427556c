"""A post that a moderator lets through late: heard by the reading of the whole listing, and counted as late."""

from __future__ import annotations

import time

import pytest

from monitor.collectors import reddit as module
from monitor.collectors.reddit import RedditCollector
from tests.standins.reddit_server import RedditServer
from tests.standins.reddit_source import burst, reddit, source
from tests.test_streamed_sources import Desk, desk

__all__ = ["desk", "reddit"]


async def test_a_post_that_is_approved_late_is_heard_and_counted(
    reddit: RedditServer, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECONCILE", 0.2)  # seconds, of an hour
    burst(reddit, 150)
    reddit.add_post("Cc", title="exosomes, at once")
    settings = source(reddit.origin).model_copy(update={"interval": 0.05})
    held = reddit.add_post("Cc", title="exosomes, held by a filter", behind=140)
    (waiting,) = [one for one in reddit.listings["new"] if one["data"]["name"] == held]
    waiting["data"] |= {"created_utc": time.time() - 2_400, "removed_by_category": "automod_filtered"}
    async with desk.watching(settings, RedditCollector(settings)):  # type: ignore[arg-type]
        assert [post.text for post in await desk.until(lambda posts: len(posts) == 1)] == ["exosomes, at once"]
        assert (await desk.ledger("skin")).late == 0
        waiting["data"]["removed_by_category"] = None
        posts = await desk.until(lambda posts: len(posts) == 2)
    assert (posts[1].id, posts[1].fresh) == (held, True)
    ledger = await desk.ledger("skin")
    assert (ledger.late, ledger.last_late is not None, ledger.gaps) == (1, True, ())
