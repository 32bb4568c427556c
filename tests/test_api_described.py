"""The description of the API is true: every route is in it, and whatever it allows is answered as it says."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from monitor.api import bodies
from monitor.settings import hash_of, new_token
from monitor.store import Database, sources
from monitor.store.reviews import ACTIONS
from tests.api_server import Api, serving
from tests.samples import write_some

TOKEN = new_token()
# For people: pages, forms, the files of the pages.
PAGES = {
    "websub",
    "",
    "claims",
    "mentions",
    "alerts",
    "evidence",
    "sources",
    "endpoints",
    "deliveries",
    "you",
    "login",
    "logout",
    "static",
}


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    """A server over a database with a few records."""
    await write_some(database)
    async with database.write() as connection:
        await sources.declare(connection, {"skincare": "reddit", "tag": "feed", "idle": "feed"})
    entry = {"name": "t", "scopes": ["admin"], "hash": hash_of(TOKEN), "rate_limit": 0}
    async with serving(database, redis_url, tokens=[entry]) as api:
        api.client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield api


async def test_every_route_that_programs_use_is_described(api: Api) -> None:
    _, document = await api.get("/api/v1/openapi.json")
    described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    there = {
        (route.resource.canonical, route.method)
        for route in api.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert {one for one in there - described if one[0].split("/")[1] not in PAGES} == set()
    assert described - there == set()
    names = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(set(names)) == len(names)
    assert document["paths"]["/api/v1/claims/{id}/review"]["post"]["description"].endswith("`review`.")
    assert document["paths"]["/healthz"]["get"]["security"] == []


async def test_the_cursors_of_all_lists_fit_what_is_said_of_them(api: Api) -> None:
    _, document = await api.get("/api/v1/openapi.json")
    for path in ("mentions", "claims", "alerts", "sources"):
        _, page = await api.get(f"/api/v1/{path}?limit=1")
        (cursor,) = (one for one in document["paths"][f"/api/v1/{path}"]["get"]["parameters"] if one["name"] == "cursor")
        assert page["next"]
        Draft202012Validator(cursor["schema"]).validate(page["next"])
        assert (await api.get(f"/api/v1/{path}?limit=1&cursor={page['next']}"))[1]["items"] != page["items"]


def test_what_a_review_takes_is_said_of_every_action() -> None:
    said = {one["properties"]["action"]["const"] for one in bodies.review()["anyOf"]}
    assert said == set(ACTIONS)
    validator = Draft202012Validator(bodies.review())
    right: list[dict[str, Any]] = [
        {"action": "confirm", "note": "seen", "reviewer": None},
        {"action": "mute"},
        {"action": "mute", "for": "7d"},
        {"action": "merge", "into": "c_1"},
        {"action": "split", "mentions": ["reddit:a"], "claim": "It is something else."},
    ]
    wrong: list[dict[str, Any]] = [
        {},
        {"action": "bless"},
        {"action": "confirm", "into": "c_1"},
        {"action": "confirm", "colour": None},
        {"action": "merge"},
        {"action": "split", "mentions": []},
        {"action": "mute", "for": "7d", "until": "2030-01-01T00:00:00Z"},
    ]
    assert [one for one in right if not validator.is_valid(one)] == []
    assert [one for one in wrong if validator.is_valid(one)] == []


@pytest.mark.timeout(900)  # a minute on a quiet machine, which this need not be
async def test_whatever_the_description_allows_is_answered_as_it_says(api: Api, tmp_path: Path) -> None:
    # /live never ends, so it cannot be asked here; tests/test_api_live.py does. What an answer looks like is made above the
    # database: one of them is asked everything, the other a little of everything.
    much = (
        ("--max-examples", "5") if api.database.dialect == "sqlite" else ("--max-examples", "2", "--phases", "examples,fuzzing")
    )
    arguments = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{api.url}/api/v1/openapi.json",
        "--header", f"Authorization:Bearer {TOKEN}",
        "--exclude-path-regex", "/live$", *much, "--seed", "1", "--no-color", "--request-timeout", "60",
        "--suppress-health-check", "all", "--continue-on-failure",
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *arguments,
        cwd="/tmp",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "160"},
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said.decode()[-20_000:]
