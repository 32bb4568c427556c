"""A new program on what an earlier one left: the daemon starts on it by itself, and everything can be looked at and goes on."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.abuse import claim_of, post_of, quick_config, still_works
from tests.checker import rests_over
from tests.daemon_process import DaemonProcess, running_daemon, until
from tests.receiver import Receiver
from tests.servers import RedisServer
from tests.test_migrations import ROWS, index_of, open_database, upgrade

PAGES = (
    "/", "/claims", "/mentions", "/mentions?text=bread", "/alerts", "/evidence", "/evidence/news", "/sources", "/endpoints",
    "/alerts.atom", "/metrics", "/readyz",
)  # fmt: skip
LISTS = (
    "/mentions", "/mentions?text=bread&type=regulatory_status", "/claims", "/alerts", "/sources", "/endpoints", "/deliveries",
    "/stats?bucket=day", "/evidence/news", "/sources/s/coverage", "/alerts/dry-run",
)  # fmt: skip

LEFT = ("waiting", "in-hand", "set-aside")


async def leave_behind(store_url: str, revision: str) -> None:
    """A database as the program of this revision left it."""
    database = open_database(store_url)
    async with database.write() as connection:
        await connection.run_sync(upgrade, revision)
        for statement in (*ROWS[revision].split(";\n"), index_of(revision, database.dialect)):
            await connection.exec_driver_sql(statement)
    await database.close()


async def lists(daemon: DaemonProcess) -> dict[str, Any]:
    return {path: await daemon.get(path) for path in LISTS}


@pytest.mark.parametrize(
    ("revision", "empty_store_url"), [("0001", "sqlite"), ("0005", "postgresql")], indirect=["empty_store_url"]
)
async def test_the_daemon_starts_on_what_an_earlier_program_left(
    tmp_path: Path, empty_store_url: str, revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXOWATCH_STORE__RETAIN_TEXT", '{"forum": "36500d"}')  # the row is of 1970
    await leave_behind(empty_store_url, revision)
    async with Receiver() as receiver:
        config = quick_config(tmp_path, store=empty_store_url, hook=receiver.url)
        async with running_daemon(config) as daemon:
            # Asked one after the other, they may differ once: the daemon reads old posts anew as soon as it is up.
            found = await until(partial(lists, daemon), lambda page: page[LISTS[1]]["items"] == page["/mentions"]["items"])
            assert [one["text"] for one in found["/mentions"]["items"]] == ["approved bread"]
            (claim,) = found["/claims"]["items"]
            (mention,) = found["/mentions"]["items"]
            assert (claim["id"], claim["mentions"]) == ("c_1", 1)
            assert [one["kind"] for one in found["/alerts"]["items"]][-1] == "claim.new"
            own = (f"/claims/{claim['id']}", f"/mentions/{mention['id']}", f"/claims/{claim['id']}/case")
            for path in (*PAGES, *own):
                assert (path, (await daemon.raw(path))[0]) == (path, 200)
            assert (await daemon.get(f"/mentions/{mention['id']}/explain"))["steps"]
            assert (await daemon.command("claim", "c_1", "confirm", "--note", "still so"))[0] == 0
            await still_works(daemon, "new")
            (got,) = await receiver.got(1)
            assert got.event["data"]["mention"]["platform_id"] == "new"
            assert not [line for line in daemon.log().splitlines() if '"level": "error"' in line]


async def test_what_an_earlier_program_left_in_redis_is_judged_too(tmp_path: Path, redis_server: RedisServer) -> None:
    """What the first program wrote, by its own keys and fields: a post that waits, one in hand, and one set aside."""
    waiting, in_hand, set_aside = (json.dumps(post_of(name, claim_of(number))) for number, name in enumerate(LEFT, 200))
    redis_server.ask("SET", "exowatch:v1:{p0}:partitions", 1)
    redis_server.ask("XGROUP", "CREATE", "exowatch:v1:{p0}:mentions", "workers", 0, "MKSTREAM")
    redis_server.ask("XADD", "exowatch:v1:{p0}:mentions", "1763812800000-0", "v", 1, "d", in_hand)
    redis_server.ask("XREADGROUP", "GROUP", "workers", "worker-0", "COUNT", 1, "STREAMS", "exowatch:v1:{p0}:mentions", ">")
    redis_server.ask("XADD", "exowatch:v1:{p0}:mentions", "1763812800001-0", "v", 1, "d", waiting)
    dead = ("v", 1, "d", set_aside, "id", "1763812700000-0", "deliveries", 5, "error", "no")
    redis_server.ask("XADD", "exowatch:v1:{p0}:dead", "*", *dead)
    async with Receiver() as receiver:
        config = quick_config(tmp_path, redis=redis_server.url, hook=receiver.url)
        async with running_daemon(config) as daemon:
            rests_over(redis_server.socket)
            await daemon.until("/mentions", lambda page: len(page["items"]) == 2)
            assert await daemon.command("dead", "replay") == (0, "1 on their way again\n", "")
            page = await daemon.until("/mentions", lambda page: len(page["items"]) == 3)
            assert {one["platform_id"] for one in page["items"]} == set(LEFT)
            await receiver.got(3)
