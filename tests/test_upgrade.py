"""A new program on what an earlier one left: the daemon starts on it by itself, and everything can be looked at and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.abuse import quick_config, still_works
from tests.daemon_process import running_daemon
from tests.receiver import Receiver
from tests.test_migrations import ROWS, index_of, open_database, upgrade

PAGES = (
    "/", "/claims", "/mentions", "/mentions?text=bread", "/alerts", "/evidence", "/evidence/news", "/sources", "/endpoints",
    "/alerts.atom", "/metrics", "/readyz",
)  # fmt: skip
LISTS = (
    "/mentions", "/mentions?text=bread&type=regulatory_status", "/claims", "/alerts", "/sources", "/endpoints", "/deliveries",
    "/stats?bucket=day", "/evidence/news", "/sources/s/coverage", "/alerts/dry-run",
)  # fmt: skip


async def leave_behind(store_url: str, revision: str) -> None:
    """A database as the program of this revision left it."""
    database = open_database(store_url)
    async with database.write() as connection:
        await connection.run_sync(upgrade, revision)
        for statement in (*ROWS[revision].split(";\n"), index_of(revision, database.dialect)):
            await connection.exec_driver_sql(statement)
    await database.close()


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
            found = {path: await daemon.get(path) for path in LISTS}
            assert [one["text"] for one in found["/mentions"]["items"]] == ["approved bread"]
            assert found[LISTS[1]]["items"] == found["/mentions"]["items"]
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
