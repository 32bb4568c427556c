"""Alerts as a feed: whatever a feed reader asks of Atom is there, and hostile words stay words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from xml.etree import ElementTree

import feedparser
import pytest

from monitor.ids import claim_id_of
from monitor.store import Database
from tests.api_server import Api, serving
from tests.samples import judged, occurrence, write, write_some

ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = 'The <script>alert("1")</script> & \x0b\u202e]]> claim \U0001f4a7.'


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    """A server over a database with a few records."""
    await write_some(database)
    async with serving(database, redis_url) as api:
        yield api


async def feed(api: Api, query: str = "") -> bytes:
    async with api.client.get(f"{api.url}/alerts.atom{query}") as answer:
        assert (answer.status, answer.content_type) == (200, "application/atom+xml")
        return await answer.read()


async def test_the_feed_holds_the_alerts_of_the_list_as_readers_want_them(api: Api) -> None:
    listed = (await api.get("/api/v1/alerts"))[1]["items"]
    read = feedparser.parse(await feed(api))
    assert not read.bozo
    assert read.version == "atom10"
    assert [(one.published, one.content[0].value) for one in read.entries] == [
        (one["created_at"], one["summary"]) for one in listed
    ]
    assert [one.link for one in read.entries] == [f"{api.url}/claims/{one['claim_id']}" for one in listed]
    assert [one.tags[0].term for one in read.entries] == ["claim.new"] * len(listed)
    assert await feed(api) == await feed(api)


async def test_the_feed_has_all_that_atom_asks_for(api: Api) -> None:
    for query, entries in (("", 2), ("?limit=1", 1), ("?claim=c_none", 0), ("?type=safety", 1)):
        root = ElementTree.fromstring(await feed(api, query))
        assert root.tag == f"{ATOM}feed"
        found = root.findall(f"{ATOM}entry")
        assert len(found) == entries
        assert root.findtext(f"{ATOM}author/{ATOM}name")
        for element in (root, *found):
            for name in ("id", "title", "updated"):
                assert len(element.findall(f"{ATOM}{name}")) == 1, (query, name)
            assert (element.findtext(f"{ATOM}id") or "").startswith("urn:uuid:")
        assert len({one.findtext(f"{ATOM}id") for one in found}) == entries
        assert {link.get("rel") for link in root.findall(f"{ATOM}link")} == {"self", "alternate"}


async def test_hostile_words_stay_words(api: Api) -> None:
    text = "so they say"
    await write(api.database, judged("evil", text, occurrence(text, "they say", "evil", claim=HOSTILE), hours_ago=0))
    body = await feed(api, "?limit=1")
    assert b"<script" not in body
    read = feedparser.parse(body)
    assert not read.bozo
    expected = 'The <script>alert("1")</script> & ]]> claim \U0001f4a7.'
    (entry,) = ElementTree.fromstring(body).findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}content") == expected
    assert entry.findtext(f"{ATOM}title") == f"claim.new: {expected}"


async def test_a_reader_shows_its_token_in_the_address_and_the_feed_does_not_repeat_it(
    database: Database, redis_url: str
) -> None:
    await write_some(database)
    async with serving(database, redis_url, token="a-secret-token") as api:
        assert (await api.get("/alerts.atom"))[0] == 401
        assert (await api.get("/alerts.atom?token=wrong"))[0] == 401
        body = await feed(api, "?token=a-secret-token&type=safety")
        assert (b"a-secret-token" in body, claim_id_of("safe").encode() in body) == (False, True)
        assert (await api.post("/alerts.atom?token=a-secret-token"))[0] == 401
