"""Every platform's stand-in behind a proxy that changes what it answers: a collector may fail by SourceError alone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from monitor.collectors import open_collector
from monitor.collectors.base import SourceError
from monitor.intake import PostError, bounded
from monitor.topic import Topic
from monitor.words import decode_post, encode
from tests import (
    test_gdelt_collector,
    test_hackernews_collector,
    test_instagram_collector,
    test_lemmy_collector,
    test_mastodon_collector,
    test_tiktok_collector,
    test_x_collector,
    test_youtube_collector,
)
from tests.fuzz.mutate import mutated
from tests.standins import (
    clinicaltrials_server,
    gdelt_server,
    hackernews_server,
    instagram_server,
    lemmy_server,
    mastodon_server,
    openfda_server,
    pubmed_server,
    reddit_server,
    reddit_source,
    tiktok_server,
    x_server,
    youtube_server,
)
from tests.standins.scripted import ScriptedServer
from tests.test_clinicaltrials_collector import opened as open_trials
from tests.test_openfda_collector import opened as open_fda
from tests.test_pubmed_collector import opened as open_papers
from tests.test_pubmed_collector import topic_of

POLL_WITHIN_S = 30.0


class Proxy(ScriptedServer):
    """Passes everything on to `site`, and changes answers while `chance` is set."""

    def __init__(self, site: ScriptedServer) -> None:
        super().__init__()
        self._site = site
        self.chance: random.Random | None = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        url = f"{self._site.origin}{request.raw_path}"
        headers = {name: value for name, value in request.headers.items() if name not in ("Host", "Accept-Encoding")}
        async with (
            aiohttp.ClientSession(auto_decompress=True) as session,
            session.request(request.method, url, headers=headers, data=await request.read()) as answer,
        ):
            body = (await answer.read()).replace(self._site.origin.encode(), self.origin.encode())
            kept = {name: value for name, value in answer.headers.items() if name in ("Content-Type", "Link", "Retry-After")}
            if self.chance is not None and self.chance.random() < 0.7:
                body = mutated(body, self.chance)
            return web.Response(status=answer.status, headers=kept, body=body)


def _lemmy() -> ScriptedServer:
    site = lemmy_server.LemmyStandin()
    site.post("Serum", "It *works*.")
    site.comment("no serum does", author="bob", home="other.test")
    return site


def _hackernews() -> ScriptedServer:
    site = hackernews_server.HackerNewsServer()
    site.story("A serum &amp; me", "First.<p>Is it <i>safe</i>?")
    site.comment("It&#x27;s just serum.")
    return site


def _gdelt() -> ScriptedServer:
    site = gdelt_server.GdeltServer()
    site.article("A serum &amp; its makers", age=900)
    site.article("Le serum", site="journal.test", language="French")
    return site


def _youtube() -> ScriptedServer:
    site = youtube_server.YouTubeServer()
    comment = site.comment(site.video("A serum & me", "It *regrows*.", defaultLanguage="en"), "Does it?")
    site.reply(comment, "it does not")
    return site


def _instagram() -> ScriptedServer:
    site = instagram_server.InstagramServer()
    site.post("serum", "New hair! #serum")
    site.post("serum", "An old one", age=30 * 86_400)
    return site


def _tiktok() -> ScriptedServer:
    site = tiktok_server.TikTokServer()
    site.comment(site.video("A serum &amp; more #hair", speech="It regrows hair."), "Does it?")
    return site


def _x() -> ScriptedServer:
    site = x_server.XServer()
    site.post("a serum")
    site.post("serum too", lang="en")
    return site


def _mastodon() -> ScriptedServer:
    site = mastodon_server.MastodonServer()
    site.post("It <b>glows</b>")
    site.edit(site.post("another"), "<p>edited</p>")
    return site


def _reddit() -> ScriptedServer:
    site = reddit_server.RedditServer()
    site.add_post("A_b", title="a serum", selftext="*really*")
    site.add_comment("Cc", body="no")
    return site


def _pubmed() -> ScriptedServer:
    site = pubmed_server.PubMedServer()
    site.papers = [pubmed_server.Paper(pmid="1", title="Rye  bread &amp; <i>sourdough</i>", abstract="It rose.", doi="10.1/x")]
    return site


def _trials() -> ScriptedServer:
    site = clinicaltrials_server.ClinicalTrialsServer()
    site.studies = [clinicaltrials_server.Study(nct="NCT00000001", title="Sourdough in people", first=3, updated=2)]
    return site


def _fda() -> ScriptedServer:
    site = openfda_server.OpenFDAServer()
    site.recall("D-1-2026", "Sourdough starter, 50 g")
    return site


Open = Callable[[ScriptedServer, Topic], Any]


def _by(source: Callable[..., Any], **more: Any) -> Open:
    return lambda site, _: open_collector(source(site, **more))


PLATFORMS: dict[str, tuple[Callable[[], ScriptedServer], Open]] = {
    "lemmy": (_lemmy, _by(test_lemmy_collector.source)),
    "hackernews": (_hackernews, _by(test_hackernews_collector.source)),
    "gdelt": (_gdelt, _by(test_gdelt_collector.source)),
    "youtube": (_youtube, _by(test_youtube_collector.source)),
    "instagram": (_instagram, _by(test_instagram_collector.source)),
    "tiktok": (_tiktok, _by(test_tiktok_collector.source)),
    "x": (_x, _by(test_x_collector.source, daily_cap=100, monthly_cap=100)),
    "mastodon": (_mastodon, _by(test_mastodon_collector.source)),
    "reddit": (_reddit, lambda site, _: open_collector(reddit_source.source(site.origin))),
    "pubmed": (_pubmed, lambda site, topic: open_papers(site, topic, papers="all")),
    "clinicaltrials": (_trials, lambda site, topic: open_trials(site, lambda: topic)),
    "openfda": (_fda, lambda site, topic: open_fda(site, topic, letters=False)),
}


@asynccontextmanager
async def platform(name: str, folder: Path) -> AsyncIterator[Callable[[int | None], Coroutine[Any, Any, int]]]:
    """A function that polls this platform twice, its answers changed by a seed (None: not at all): how many things were heard."""
    make, opened = PLATFORMS[name]
    topic = topic_of(folder)
    async with make() as site, Proxy(site) as proxy:

        async def heard(seed: int | None) -> int:
            proxy.chance = None if seed is None else random.Random(seed)
            collector = opened(proxy, topic)
            cursor, count = None, 0
            try:
                async with asyncio.timeout(POLL_WITHIN_S):
                    for _ in range(2):
                        async for batch in collector.poll(cursor):
                            cursor = batch.cursor or cursor
                            count += len(batch.posts) + len(batch.news)
                            for post in batch.posts:
                                _as_the_publisher_does(post)
            except SourceError as error:
                if "\n" in str(error) or len(str(error)) > 600:
                    raise AssertionError(f"no sentence for an operator: {error!r}") from None
            finally:
                await collector.close()
            return count

        yield heard


def _as_the_publisher_does(post: Any) -> None:
    try:
        made = bounded(post)
    except PostError:
        return
    assert decode_post(encode(made)) == made
