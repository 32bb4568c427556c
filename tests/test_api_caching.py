"""Single things are asked for again for nothing while they stay as they are; nothing else is kept anywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from monitor.ids import claim_id_of
from monitor.store import Database
from tests.api_server import Api, serving
from tests.samples import write_some

SAFE = claim_id_of("safe")
SINGLE = (f"/api/v1/claims/{SAFE}", "/api/v1/mentions/reddit:c", "/api/v1/mentions/reddit:c/explain", "/api/v1/openapi.json")


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    """A server over a database with a few records."""
    await write_some(database)
    async with serving(database, redis_url) as api:
        yield api


async def test_a_single_thing_that_is_as_it_was_is_not_sent_again(api: Api) -> None:
    for path in (*SINGLE, "/alerts.atom"):
        async with api.client.get(api.url + path) as answer:
            tag, body = answer.headers["ETag"], await answer.read()
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "private, no-cache"), path
            assert answer.headers["Vary"] == "Authorization, Cookie"
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            async with api.client.get(api.url + path, headers={"If-None-Match": known}) as answer:
                assert (path, known, answer.status, await answer.read()) == (path, known, 304, b"")
                assert (answer.headers["ETag"], answer.headers["Cache-Control"]) == (tag, "private, no-cache")
        for other in ('"other"', "junk", ""):
            async with api.client.get(api.url + path, headers={"If-None-Match": other}) as answer:
                assert (answer.status, await answer.read()) == (200, body)


async def test_what_changed_is_sent_and_what_is_gone_is_not_kept(api: Api) -> None:
    path = f"/api/v1/claims/{SAFE}"
    async with api.client.get(api.url + path) as answer:
        tag = answer.headers["ETag"]
    await api.post(f"{path}/review", json={"action": "confirm"})
    async with api.client.get(api.url + path, headers={"If-None-Match": tag}) as answer:
        assert (answer.status, (await answer.json())["state"]) == (200, "confirmed")
        assert answer.headers["ETag"] != tag
    async with api.client.get(api.url + "/api/v1/mentions/reddit:gone", headers={"If-None-Match": "*"}) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (404, "no-store")


async def test_lists_are_kept_nowhere_and_the_pages_own_files_are_asked_for_by_tag(api: Api) -> None:
    async with api.client.get(api.url + "/api/v1/mentions") as answer:
        assert (answer.headers["Cache-Control"], "ETag" in answer.headers) == ("no-store", False)
    async with api.client.get(api.url + "/static/style.css") as answer:
        assert (answer.headers["Cache-Control"], "ETag" in answer.headers) == ("no-cache", True)
