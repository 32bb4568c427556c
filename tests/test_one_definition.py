"""The filters of a list are the same over HTTP, in commands, on pages and for assistants; and every list has an end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import pytest

from monitor.cli import cli
from monitor.cli.assistant import make_server
from monitor.ids import claim_id_of
from monitor.store import Database, inbox, reviews
from monitor.store.filters import NAMES, SINGLE, STATES, Listed
from monitor.topic.register import Register
from tests.api_server import ENDPOINT, Api, serving
from tests.samples import write_some
from tests.test_cli_query import configured, exowatch

APPROVED, SAFE = claim_id_of("approved"), claim_id_of("safe")


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    """A server over two alerts: that of APPROVED with ann, that of SAFE done and with nobody."""
    await write_some(database)
    await deal(database)
    async with serving(database, redis_url) as api:
        yield api


async def deal(database: Database) -> None:
    async with database.write() as connection:
        (approved,) = await inbox.open_of_claim(connection, APPROVED)
        (safe,) = await inbox.open_of_claim(connection, SAFE)
        await inbox.handle(connection, approved, "assign", "ann", assignee="ann")
        await inbox.handle(connection, safe, "done", "ann")


@pytest.mark.parametrize("of", NAMES)
async def test_every_door_takes_every_filter_of_a_list(api: Api, of: Listed) -> None:
    _, document = await api.get("/api/v1/openapi.json")
    described = {one["name"]: one["schema"] for one in document["paths"][f"/api/v1/{of}"]["get"]["parameters"]}
    assert set(described) == set(NAMES[of])
    assert {name for name, schema in described.items() if schema.get("type") != "array"} == set(SINGLE)

    command = cli.get_command(click.Context(cli), of)
    assert command is not None
    options = {one.name: one for one in command.params}
    assert set(NAMES[of]) <= set(options)
    assert {name for name in NAMES[of] if not getattr(options[name], "multiple", False)} == set(SINGLE)

    tools = await make_server(api.database, Register(())).list_tools()
    name = {"mentions": "search_mentions", "claims": "search_claims", "alerts": "list_alerts"}[of]
    (tool,) = (one for one in tools if one.name == name)
    assert set(tool.input_schema["properties"]) == set(NAMES[of])
    assert all(one.get("description") for one in tool.input_schema["properties"].values())
    if of in STATES:
        assert json.dumps(list(STATES[of])) in json.dumps(tool.input_schema["properties"]["state"])

    for name in NAMES[of]:  # a form sends its empty fields too
        async with api.client.get(f"{api.url}/{of}?{name}=", headers={"Accept": "text/html"}) as answer:
            assert answer.status == 200, name
    other = next(name for name in (*NAMES["alerts"], "colour") if name not in NAMES[of])
    for path in (f"/{of}?{other}=x", f"/api/v1/{of}?{other}=x", f"/api/v1/{of}/export?{other}=x"):
        assert (await api.client.get(api.url + path)).status == 400, path


ASKED: list[tuple[dict[str, str], list[str]]] = [
    ({}, [SAFE, APPROVED]),
    ({"state": "open"}, [APPROVED]),
    ({"state": "done"}, [SAFE]),
    ({"state": "all"}, [SAFE, APPROVED]),
    ({"assignee": "ann"}, [APPROVED]),
    ({"assignee": "nobody"}, [SAFE]),
    ({"kind": "claim.new", "type": "safety"}, [SAFE]),
    ({"kind": "digest"}, []),
    ({"state": "open", "source": "tag"}, []),
]


async def test_alerts_are_found_as_work_over_http_and_by_assistants(api: Api) -> None:
    server: Any = make_server(api.database, Register(()))
    for given, found in ASKED:
        _, page = await api.get("/api/v1/alerts", params=given)
        assert [one["claim_id"] for one in page["items"]] == found, given
        async with api.client.get(f"{api.url}/api/v1/alerts/export", params=given) as answer:
            assert [json.loads(line)["claim_id"] for line in (await answer.read()).splitlines()] == found, given
        async with api.client.get(f"{api.url}/alerts.atom", params=given) as answer:
            assert (await answer.text()).count("<entry>") == len(found), given
        asked = {name: value if name in SINGLE else [value] for name, value in given.items()}
        content = await server.call_tool("list_alerts", asked)
        assert [one["claim_id"] for one in content.structured_content["items"]] == found, given
    for wrong in ("state=confirmed", "kind=claim.old"):
        status, problem = await api.get(f"/api/v1/alerts?{wrong}")
        assert (status, "is not one of" in problem["detail"]) == (400, True)


async def test_an_assistant_narrows_by_source_name_and_doubt(api: Api) -> None:
    server: Any = make_server(api.database, Register(()))
    for tool, asked, number in (
        ("search_mentions", {"source": ["tag"]}, 1),
        ("search_claims", {"source": ["tag"]}, 1),
        ("search_claims", {"doubtful": True}, 0),
        ("search_mentions", {"watch": ["ASCE+"]}, 0),
    ):
        assert len((await server.call_tool(tool, asked)).structured_content["items"]) == number, (tool, asked)


async def test_the_page_shows_what_is_open_where_nothing_is_said(api: Api) -> None:
    async def shown(query: str) -> list[str]:
        text = await api.page(f"/alerts{query}")
        return [claim_id for claim_id in (APPROVED, SAFE) if f'href="/claims/{claim_id}"' in text]

    assert await shown("") == [APPROVED]
    assert await shown("?state=done") == [SAFE]
    assert await shown("?state=all") == [APPROVED, SAFE]
    assert await shown("?state=all&assignee=nobody") == [SAFE]


def test_the_command_line_finds_them_too(tmp_path: Path) -> None:
    config = configured(tmp_path, f"sqlite:///{tmp_path}/var/exowatch.sqlite")
    for words, number in (
        (("alerts", "--state", "open", "--assignee", "nobody", "--kind", "claim.new", "--type", "safety"), 1),
        (("alerts", "--state", "done"), 0),
        (("export", "alerts", "--kind", "digest"), 0),
    ):
        found = exowatch(*words, *(() if words[0] == "export" else ("--format", "jsonl")), "--config", config)
        assert (found.returncode, len(found.stdout.splitlines())) == (0, number), (words, found.stderr)
    wrong = exowatch("export", "mentions", "--assignee", "ann", "--config", config)
    assert (wrong.returncode, "--assignee asks about alerts" in wrong.stderr) == (2, True)


async def test_endpoints_are_read_page_by_page(database: Database, redis_url: str) -> None:
    names = [f"hook-{n}" for n in range(7)]
    async with serving(database, redis_url, endpoint=[ENDPOINT | {"name": name} for name in names]) as api:
        seen, cursor = [], ""
        while cursor is not None:
            _, page = await api.get("/api/v1/endpoints?limit=3" + (f"&cursor={cursor}" if cursor else ""))
            assert len(page["items"]) <= 3
            seen += [one["name"] for one in page["items"]]
            cursor = page["next"]
        assert seen == names
        assert (await api.get("/api/v1/endpoints?cursor=sname"))[0] == 400
        assert (await api.get("/api/v1/endpoints?cursor=n9223372036854775807"))[1]["items"] == []


async def test_of_very_many_reviews_the_latest_are_listed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "MAX_HISTORY", 3)
    await write_some(database)
    async with database.write() as connection:
        for n in range(5):
            await reviews.judge(connection, SAFE, "note", "ann", f"note {n}")
    async with database.read() as connection:
        assert [one.note for one in await reviews.history(connection, SAFE)] == ["note 2", "note 3", "note 4"]
