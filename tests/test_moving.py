"""An installation that started with embedded servers goes on with servers of its own, and back: nothing is lost or said twice."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, select, text

from monitor.datadir import DataDirLock
from monitor.settings import Settings
from monitor.store import Database
from monitor.store.citations import Citations
from monitor.store.copying import TABLES, copy
from monitor.store.tables import mention
from tests.abuse import claim_of, feed, one_sentence, post_of, quick_config, replay_file, run_here
from tests.daemon_process import DaemonProcess, run_command, running_daemon
from tests.postgres import Postgres
from tests.receiver import Receiver
from tests.servers import RedisServer
from tests.standins.feed_server import FeedEntry, FeedServer

ANSWERS = (
    "/mentions?limit=500", "/mentions?text=collagen&type=skin_efficacy", "/mentions?text=alpha*", "/claims?limit=500",
    "/alerts?limit=500", "/deliveries?limit=500", "/sources", "/endpoints", "/stats?bucket=day", "/evidence/news",
)  # fmt: skip


async def answers(daemon: DaemonProcess) -> dict[str, Any]:
    """What the API says of everything that is on record."""
    found = {path: await daemon.get(path) for path in ANSWERS}
    for source in found["/sources"]["items"]:
        for passing in ("last_success", "lag_s", "heard", "matched", "state"):
            source.pop(passing, None)
    for claim in found["/claims?limit=500"]["items"]:
        found[f"/claims/{claim['id']}"] = await daemon.get(f"/claims/{claim['id']}")
    return found


async def live_a_while(config: Path, feed_server: FeedServer, receiver: Receiver) -> dict[str, Any]:
    """A daemon hears, alerts, is corrected, and leaves posts that wait; what its API said."""
    feed_server.entries.append(FeedEntry(title="News alpha", body=claim_of(301), id="1", author="ann"))
    async with running_daemon(config) as daemon:
        posts = [post_of(f"p{number}", claim_of(401 + number), author="bob") for number in range(5)]
        status, _, err = await daemon.command("replay", replay_file(config.parent, *posts))
        assert (status, err) == (0, "")
        await receiver.got(6)
        await daemon.until("/deliveries", lambda page: {one["state"] for one in page["items"]} == {"delivered"})
        page = await daemon.get("/claims")
        for words in (("confirm", "--note", "seen"), ("mute", "--for", "7d")):
            assert (await daemon.command("claim", page["items"][0]["id"], *words))[0] == 0
        assert (await daemon.command("forget", "forum:p4", "--yes"))[0] == 0
        await daemon.until("/sources", lambda page: page["items"][0]["state"] == "ok")
        said = await answers(daemon)
        await daemon.stop()
    status, out, _ = await run_command(
        "--config", str(config), "replay", replay_file(config.parent, post_of("waits", claim_of(501)))
    )
    assert (status, out) == (0, "accepted 1, duplicates 0, unmatched 0\n")
    return said


async def test_an_embedded_installation_moves_to_servers_and_goes_on(
    tmp_path: Path, postgres_server: Postgres, redis_server: RedisServer
) -> None:
    store = postgres_server.empty_database()
    async with FeedServer() as feed_server, Receiver() as receiver:
        parts = (feed("blog", feed_server.url),)
        config = quick_config(tmp_path, *parts, hook=receiver.url)
        before = await live_a_while(config, feed_server, receiver)

        status, out, err = await run_command(
            "--config", str(config), "migrate", "--to-store", store, "--to-redis", redis_server.url
        )
        assert (status, err) == (0, "")
        assert "6 mentions, 6 claims, 6 alerts" in out
        assert "1 cursors, 1 waiting, 0 dead" in out
        keys = tmp_path / "data" / "author.key"
        assert f'privacy.key  to "file:PATH" of a copy of {keys}' in out

        there = tmp_path / "there"
        there.mkdir()
        shutil.copy(keys, there / "author.key")
        keyed = '[privacy]\nkey = "file:author.key"\n'
        config = quick_config(there, keyed, *parts, hook=receiver.url, store=store, redis=redis_server.url)
        async with running_daemon(config, "serve") as server:
            assert await answers(server) == before
            async with running_daemon(config, "work"), running_daemon(config, "deliver"), running_daemon(config, "collect"):
                await receiver.got(7)  # what waited
                feed_server.entries.insert(0, FeedEntry(title="More", body=claim_of(601), id="2", author="ann"))
                got = await receiver.got(8)
                again = replay_file(
                    there, post_of("other", claim_of(301), author="ann"), post_of("p4", claim_of(405), author="bob")
                )
                status, out, err = await server.command("replay", again)
                assert (status, out, err) == (0, "accepted 1, duplicates 0, unmatched 1\n", ""), "what was forgotten stays out"
                await server.until("/mentions", lambda page: any(one["platform_id"] == "other" for one in page["items"]))
                claims = (await server.get("/claims"))["items"]
                assert len(claims) == 8
                raised = [one for one in (await server.get("/alerts"))["items"] if one["kind"] == "claim.new"]
                assert len(raised) == 8
        assert len({one.quote for one in got}) == 8
        assert len(receiver.kept) == 8


async def rows_of(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every table as the database keeps it, JSON as its text."""
    async with database.read() as connection:
        found = {}
        for table in TABLES:
            columns = ", ".join(
                f'CAST("{c.name}" AS text)' if isinstance(c.type, JSON | Citations) else f'"{c.name}"' for c in table.columns
            )
            rows = await connection.execute(text(f'SELECT {columns} FROM "{table.name}"'))
            found[table.name] = sorted((tuple(map(_plain, row)) for row in rows), key=repr)
        return found


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else bytes(value) if isinstance(value, memoryview) else value


def opened(url: str) -> Database:
    return Database(Settings(store={"url": url}).sqlalchemy_url)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file of an installation that has lived."""
    folder = tmp_path_factory.mktemp("lived")

    async def live() -> None:
        async with FeedServer() as feed_server, Receiver() as receiver:
            await live_a_while(quick_config(folder, feed("blog", feed_server.url), hook=receiver.url), feed_server, receiver)

    asyncio.run(live())
    return folder / "data" / "exowatch.sqlite"


async def test_a_record_comes_back_from_postgresql_as_it_was(filled: Path, tmp_path: Path, postgres_server: Postgres) -> None:
    urls = [f"sqlite:///{filled}", postgres_server.empty_database(), f"sqlite:///{tmp_path}/back.sqlite"]
    here, there, back = map(opened, urls)
    try:
        for source, target in ((here, there), (there, back)):
            await target.migrate()
            await copy(source, target, lambda *_: None)
        before, between, after = [await rows_of(database) for database in (here, there, back)]
        assert len(before["mention"]) == 6
        assert sum(map(bool, before.values())) > 15, "tables that hold something"
        for name, rows in before.items():
            assert (name, between[name]) == (name, rows)
            assert (name, after[name]) == (name, rows)
        index = "SELECT rowid, words FROM mention_search ORDER BY rowid"
        async with here.read() as one, back.read() as other:
            assert list(await one.execute(text(index))) == list(await other.execute(text(index)))
    finally:
        for database in (here, there, back):
            await database.close()


async def test_a_copy_that_breaks_off_leaves_nothing(filled: Path, empty_store_url: str) -> None:
    here, there = opened(f"sqlite:///{filled}"), opened(empty_store_url)

    def break_off(what: str, _: int) -> None:
        if what == "text index":
            raise KeyboardInterrupt

    try:
        await there.migrate()
        with pytest.raises(KeyboardInterrupt):
            await copy(here, there, break_off)
        async with there.read() as connection:
            assert (await connection.execute(select(mention.c.id))).all() == []
        assert (await copy(here, there, lambda *_: None))["mention"] == 6
    finally:
        await here.close()
        await there.close()


def said(config: Path, capfd: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    """What `exowatch migrate words…` says: its answer, or its one sentence where it is to fail."""
    found, out, err = run_here(["--config", str(config), "migrate", *words], capfd)
    assert (bool(found), out if status else err) == (bool(status), ""), err
    if status:
        one_sentence(err)
    return err if status else out


def test_what_cannot_be_moved_is_said_in_a_sentence(
    tmp_path: Path, filled: Path, postgres_server: Postgres, redis_server: RedisServer, capfd: pytest.CaptureFixture[str]
) -> None:
    config = quick_config(tmp_path)

    def refused(*words: str) -> str:
        return said(config, capfd, *words, status=1)

    assert "there is nothing to move" in refused("--to-store", postgres_server.empty_database())
    shutil.copytree(filled.parent, tmp_path / "data")
    used = postgres_server.empty_database()
    assert "in each table as many as here" in said(config, capfd, "--to-store", used)
    assert "is not empty (there are rows in claim)" in refused("--to-store", used)
    assert "write postgresql://" in refused("--to-store", "mysql://root@localhost/x")
    assert "write redis://" in refused("--to-redis", "http://localhost")
    assert "cannot be reached" in refused("--to-redis", f"unix://{tmp_path}/none.sock")
    assert "does not answer" in refused("--to-store", f"postgresql://exowatch@/x?host={tmp_path}")
    assert "secret file" in refused("--to-store", f"file:{tmp_path}/none")
    assert "1 waiting" in said(config, capfd, "--to-redis", redis_server.url)
    assert "used by exowatch before" in refused("--to-redis", redis_server.url)
    with DataDirLock(tmp_path / "data"):
        assert "works on" in refused("--to-store", used)


@pytest.mark.parametrize("role", ["run", "deliver"])
async def test_nothing_is_moved_while_a_process_works_on_it(tmp_path: Path, redis_server: RedisServer, role: str) -> None:
    config = quick_config(tmp_path, redis=redis_server.url)  # where the data folder's lock is not held
    async with running_daemon(config, role):
        status, out, err = await run_command("--config", str(config), "migrate", "--to-store", f"sqlite:///{tmp_path}/x.sqlite")
    assert (status, out) == (1, "")
    one_sentence(err, f"exowatch {role} (process ", "stop it first")
    assert not (tmp_path / "x.sqlite").exists()


def test_migrate_alone_makes_the_tables_and_leaves_newer_ones(
    tmp_path: Path, empty_store_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    config = quick_config(tmp_path, store=empty_store_url)
    for _ in range(2):
        assert said(config, capfd).endswith(" are up to date\n")

    async def age() -> None:
        database = opened(empty_store_url)
        async with database.write() as connection:
            assert (await connection.execute(select(mention.c.id))).all() == []
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await database.close()

    asyncio.run(age())
    for words in ("migrate", "run"):
        status, out, err = run_here(["--config", str(config), words], capfd)
        assert (status, out) == (1, "")
        one_sentence(err, "newer exowatch (revision 9999)", "use the newer program")
