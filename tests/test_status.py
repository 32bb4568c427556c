"""Which parts of an installation are heard from: what `serve` tells of processes that are not its own."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from monitor.settings import hash_of, new_token
from monitor.store import Database
from monitor.stream.keys import PROCESSES
from tests.api_server import Api, serving
from tests.daemon_process import running_daemon
from tests.servers import RedisServer
from tests.test_roles import write_config

ADMIN, READER = new_token(), new_token()
TOKENS = [{"name": name, "scopes": [name], "hash": hash_of(token)} for name, token in (("admin", ADMIN), ("read", READER))]


def numbers(status: dict[str, Any]) -> dict[str, int]:
    return {one["role"]: one["processes"] for one in status["parts"]}


async def age(redis: RedisServer, process: str, seconds: int) -> None:
    """So many seconds later, without having said more."""
    redis.ask("ZINCRBY", PROCESSES, -seconds, process)


async def test_serve_tells_of_the_processes_that_play_the_other_parts(tmp_path: Path, redis_server: RedisServer) -> None:
    async with AsyncExitStack() as processes:
        config = write_config(tmp_path, redis_server.url, f"sqlite:///{tmp_path}/store.sqlite", "http://127.0.0.1:9/")
        server = await processes.enter_async_context(running_daemon(config, "serve"))
        worker = await processes.enter_async_context(running_daemon(config, "work"))
        status = await server.until("/status", lambda found: numbers(found)["work"] == 1)
        assert numbers(status) == {"collect": 0, "work": 1, "deliver": 0, "serve": 1}
        assert [one["last_heard"] is None for one in status["parts"]] == [True, False, True, False]
        (other,) = (one for one in status["processes"] if one["role"] == "work")
        assert f":{worker.pid}:" in other["process"]
        assert other["silent_s"] < 30

        await worker.kill()
        await age(redis_server, other["process"], 60)
        status = await server.get("/status")
        (silent,) = (one for one in status["processes"] if one["role"] == "work")
        assert numbers(status)["work"] == 0
        assert silent["silent_s"] >= 60
        assert silent["last_heard"] < other["last_heard"]


def rows(page: str) -> dict[str, tuple[str, bool]]:
    """Of each part on the page: how many processes, and whether it says that none is heard from."""
    found = re.findall(r'<td class="what">(collect|work|deliver|serve)</td><td class="number">(\d+)</td>(.*)</tr>', page)
    return {role: (number, "not heard from" in rest) for role, number, rest in found}


async def shown(api: Api, token: str) -> str:
    async with api.client.get(
        f"{api.url}/sources", headers={"Authorization": f"Bearer {token}", "Accept": "text/html"}
    ) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_the_page_of_sources_tells_those_who_may_and_does_without_redis(
    database: Database, redis_server: RedisServer
) -> None:
    async with serving(database, redis_server.url, tokens=TOKENS) as api:
        await api.stream.share_metrics("a", b'{"role": "work", "process": "host:1:<b>", "series": []}')
        await api.stream.share_metrics("b", b"what no process of ours shares")
        assert rows(await shown(api, ADMIN)) == {
            "collect": ("0", True),
            "work": ("1", False),
            "deliver": ("0", True),
            "serve": ("1", False),
        }
        assert "Processes" not in await shown(api, READER)
        redis_server.kill()
        page = await shown(api, ADMIN)
        assert (rows(page), "Redis does not answer" in page) == ({}, True)
        status, problem = await api.get("/api/v1/status", headers={"Authorization": f"Bearer {ADMIN}"})
        assert (status, "stream" in problem["detail"]) == (503, True)
