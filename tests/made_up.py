"""Three weeks of a made-up world for the pictures of the pages: the topic pack's own sample, told again and again by others."""

from __future__ import annotations

import random
from collections.abc import Sequence

from monitor.demo import sample_posts
from monitor.ids import stored_id
from monitor.settings import Settings
from monitor.store import Database, coverage, endpoints, inbox, record, reviews, sources
from monitor.store.alerts import page as alerts_page
from monitor.store.deliveries import Tried, lease_due, settle
from monitor.store.filters import Filters
from monitor.store.judged import Judged
from monitor.store.outbox import AlertDraft, Recipient
from monitor.times import now_ms
from monitor.topic import Topic
from monitor.words import Post
from workers.judgement import Judge

DAYS = 20
TOLD_AGAIN = 320  # times that somebody says again what another post of the sample says
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_ENDINGS = ("", " 😍", "!!", " Saving this.", " Who else?", " (ad)", " Link in bio.")


def judged_posts(topic: Topic, now: int) -> list[Judged]:
    """The sample and its echoes, in the order in which they were heard, by the real classifier and register."""
    judge, chance = Judge(topic), random.Random(7)
    posts = [(round(n / 72 * 0.93 * DAYS * _DAY_MS), post) for n, post in enumerate(sample_posts(Settings().topic_folder))]
    for n in range(TOLD_AGAIN):
        # A few posts are told again by most, and more of late.
        at, first = posts[min(len(posts) - 1, int(chance.paretovariate(0.9)) - 1 + chance.randrange(14))]
        later = at + round((DAYS * _DAY_MS - at) * chance.random() ** 0.6)
        again = Post(
            platform=chance.choice(("tiktok", "instagram", "reddit", "tiktok")),
            id=f"echo-{n}",
            text=first.text + chance.choice(_ENDINGS),
            url=f"https://social.example/posts/{n}",
            author=f"{chance.getrandbits(48):012x}",
        )
        posts.append((later, again))
    return [
        _judged(judge, now - DAYS * _DAY_MS + at - _HOUR_MS // 2, n, post)
        for n, (at, post) in enumerate(sorted(posts, key=lambda one: one[0]))
    ]


def _judged(judge: Judge, seen: int, n: int, post: Post) -> Judged:
    judgement, origins = judge.weigh(post.id, post.text, post.lang)
    drafts = tuple(
        AlertDraft(
            kind="claim.new",
            dedupe_key=f"claim.new:{one.claim_id}",
            summary=f"New {one.verdict} claim: {one.claim}",
            occurrence=place,
            recipients=(Recipient("case-system"),),
        )
        for place, one in enumerate(judgement.claims)
        if one.alerting
    )
    kept = Post(
        platform=post.platform, id=post.id, text=post.text, url=post.url, author=post.author,
        source={"news": "trade-press", "reddit": "skincare-reddit"}.get(post.platform, f"{post.platform}-tag"),
        created_at=seen - 600_000,
    )  # fmt: skip
    return Judged(number=seen << 21 | n, seen_ms=seen, post=kept, judgement=judgement, origins=origins, alerts=drafts)


async def fill(database: Database, posts: Sequence[Judged]) -> None:
    """Puts the posts and all around them into the record."""
    async with database.write() as connection:
        names = {
            "bluesky-tag": "bluesky",
            "fda-press": "feed",
            "skincare-reddit": "reddit",
            "trade-press": "feed",
        }
        await sources.declare(connection, names)
        for name in names:
            late = 3 if name == "skincare-reddit" else 0
            what = sources.Heard(posts=len(name) * 91, matched=40, late=late, lag_s=float(len(name) * 7), cursor="1")
            await sources.heard(connection, name, what)
            await sources.succeeded(connection, name)
        now = now_ms()
        for name, start in (("bluesky-tag", DAYS), ("fda-press", 4), ("skincare-reddit", DAYS), ("trade-press", DAYS)):
            await coverage.extend(connection, name, now - start * _DAY_MS, now - 60_000)
        away = now - 31 * _HOUR_MS
        await coverage.note_gap(
            connection, "bluesky-tag", away, away + 4 * _HOUR_MS, "the stream was away, and goes back no further"
        )
        await coverage.note_gap(connection, "fda-press", now - 5 * _HOUR_MS, now - 60_000, "the feed could not be read")
        await sources.failed(
            connection, "fda-press", "the feed answers 503 (Service Unavailable); tried again in 5 minutes", "failing"
        )
        await endpoints.register(connection, ["case-system"])
    for start in range(0, len(posts), 50):
        async with database.write() as connection:
            await record.record(connection, posts[start : start + 50])
    await _deliver(database)
    await _review(database)


async def _deliver(database: Database) -> None:
    async with database.write() as connection:
        for n, due in enumerate(await lease_due(connection, "case-system", now_ms(), 100, 1000)):
            failed = n == 3
            tried = Tried(
                at_ms=now_ms(), ms=40 + n, status=500 if failed else 204, error="the endpoint answers 500" if failed else None
            )
            await settle(connection, due, tried, "dead" if failed else "delivered", 0)


async def _review(database: Database) -> None:
    async with database.write() as connection:
        tasks = (await alerts_page(connection, Filters(limit=40))).items
        for n, one in enumerate(tasks):
            number = stored_id("a", one.id)
            if number is None or one.claim_id is None:
                continue
            if n == 1:
                await inbox.handle(connection, number, "assign", "Ann", assignee="Ben", note="you know the clinic")
            elif n > 8:
                await reviews.judge(
                    connection,
                    one.claim_id,
                    "confirm" if n % 3 else "dismiss",
                    "Ann",
                    "seen on their site" if n % 3 else "a joke",
                )
                await inbox.handle(connection, number, "done", "Ann")
