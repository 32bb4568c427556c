"""A backup that is put back goes on where it was made: nothing that it knew is told again, what came after it is heard again."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from monitor import backup as making
from monitor.settings import load
from monitor.stream.keys import mentions_key
from tests.abuse import claim_of, feed, one_sentence, post_of, quick_config, replay_file, run_here
from tests.checker import MENTIONS, query
from tests.daemon_process import DaemonProcess, run_command, running_daemon, until
from tests.postgres import Postgres
from tests.private import open_to_others
from tests.receiver import Receiver
from tests.servers import BINARIES, RedisServer
from tests.standins.feed_server import FeedEntry, FeedServer

SQL = Path(__file__).resolve().parents[1] / "docs" / "deploy" / "postgresql.sql"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Where an installation lives, where another may, and the backup between them."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    return tmp_path / "here", tmp_path / "there", tmp_path / "exowatch.tar.gz"


async def done(config: Path, *words: str | Path) -> str:
    status, out, err = await run_command("--config", str(config), *map(str, words))
    assert (status, err) == (0, ""), err
    return out


async def refused(config: Path, *words: str | Path) -> str:
    status, out, err = await run_command("--config", str(config), *map(str, words))
    assert (status, out) == (1, "")
    one_sentence(err)
    return err


async def stored(daemon: DaemonProcess, number: int) -> dict[str, Any]:
    """The claims, once so many mentions are on record."""
    answer = await daemon.until("/claims?limit=500", lambda page: sum(one["mentions"] for one in page["items"]) >= number)
    return {one["id"]: one["mentions"] for one in answer["items"]}


async def test_a_backup_of_a_running_daemon_goes_on_elsewhere(folders: tuple[Path, Path, Path]) -> None:
    here, there, file = folders
    async with FeedServer() as server, Receiver() as receiver, Receiver() as later:
        server.entries.append(FeedEntry(title="One", body=claim_of(301), id="1", author="ann"))
        config = quick_config(here, feed("blog", server.url), hook=receiver.url)
        async with running_daemon(config) as daemon:
            await receiver.got(1)
            await daemon.until("/deliveries", lambda page: page["items"][0]["state"] == "delivered")
            assert (await daemon.command("forget", "gone", "--yes"))[0] == 0
            before = await daemon.get("/claims")
            out = await done(config, "backup", file)
            assert out.startswith(f"{file}: ")
            assert "1 cursors, 0 waiting, 0 dead, 1 mentions, 1 claims, 1 alerts" in out
            assert "works on" in await refused(config, "restore", file)
            server.entries.insert(0, FeedEntry(title="Two", body=claim_of(302), id="2", author="ann"))
            await receiver.got(2)
        assert file.stat().st_mode & 0o777 == 0o600
        assert sorted(path.name for path in file.parent.iterdir()) == ["exowatch.tar.gz", "here", "there"], (
            "nothing is left beside it"
        )

        config = quick_config(there, feed("blog", server.url), hook=later.url)
        out = await done(config, "restore", file)
        assert out.startswith(f"{there / 'data'} is as it was at 20")
        assert open_to_others(there / "data") == []
        assert (there / "data" / "author.key").read_bytes() == (here / "data" / "author.key").read_bytes()
        async with running_daemon(config) as daemon:
            (got,) = await later.got(1)
            assert "302" in got.quote, "what came after the backup is heard again, and what it knew is not told again"
            (old,) = before["items"]
            assert await daemon.get(f"/claims/{old['id']}")
            _, out, _ = await daemon.command(
                "replay", replay_file(there, post_of("a", claim_of(301), author="gone"), post_of("b", claim_of(303)))
            )
            assert out == "accepted 1, duplicates 0, unmatched 1\n", "who was forgotten stays so"
            await later.got(2)
        assert len(later.kept) == 2


async def test_what_is_judged_while_a_backup_is_made_is_in_it(
    folders: tuple[Path, Path, Path], redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is copied first: a worker finishes everything between that and the rest."""
    here, there, file = folders
    config = quick_config(here, redis=redis_server.url)
    await done(config, "replay", replay_file(here, *(post_of(str(n), claim_of(301 + n)) for n in range(5))))
    settings, loop = load(config), asyncio.get_running_loop()
    write_stream, copy_record = making._write_stream, making._copy_record

    async def work() -> None:
        async with running_daemon(config, "work"):
            await until(lambda: query(f"sqlite://{here}/data/exowatch.sqlite", MENTIONS), lambda rows: len(rows) == 5)
            await until(lambda: asyncio.to_thread(redis_server.number, "XLEN", mentions_key(0)), lambda number: number == 0)

    async def then_work(stream: Any, to: Path) -> Any:
        found = await write_stream(stream, to)
        await work()
        return found

    def then_work_too(record: Path, to: Path) -> Any:
        found = copy_record(record, to)
        asyncio.run_coroutine_threadsafe(work(), loop).result()
        return found

    monkeypatch.setattr(making, "_write_stream", then_work)
    monkeypatch.setattr(making, "_copy_record", then_work_too)
    await making.back_up(settings, file)
    config = quick_config(there)
    await done(config, "restore", file)
    async with running_daemon(config) as daemon:
        claims = await stored(daemon, 5)
        raised = [one["claim_id"] for one in (await daemon.get("/alerts"))["items"] if one["kind"] == "claim.new"]
        assert sorted(raised) == sorted(claims), "each once"


async def test_what_waits_in_a_stopped_installation_is_in_its_backup_and_keys_may_be_kept_apart(
    folders: tuple[Path, Path, Path],
) -> None:
    here, there, file = folders
    async with Receiver() as receiver:
        config = quick_config(here, hook=receiver.url)
        await done(config, "replay", replay_file(here, post_of("1", claim_of(301)), post_of("2", claim_of(302))))
        assert "0 cursors, 2 waiting, 0 dead, 0 mentions" in await done(config, "backup", "--without-keys", file)
        with tarfile.open(file) as archive:
            assert archive.getnames() == ["backup.json", "stream.jsonl", "exowatch.sqlite"]
        config = quick_config(there, hook=receiver.url)
        (there / "data").mkdir()
        shutil.copy(here / "data" / "author.key", there / "data")
        await done(config, "restore", file)
        out = await done(config, "replay", replay_file(there, post_of("2", claim_of(302))))
        assert out == "accepted 0, duplicates 1, unmatched 0\n"
        async with running_daemon(config):
            await receiver.got(2)


@pytest.fixture
def other_redis() -> Iterator[RedisServer]:
    server = RedisServer(BINARIES[0])
    try:
        server.start()
        yield server
    finally:
        server.remove()


async def test_a_backup_goes_into_an_own_redis_and_another_file(
    folders: tuple[Path, Path, Path], redis_server: RedisServer, other_redis: RedisServer
) -> None:
    here, there, file = folders
    config = quick_config(here, redis=redis_server.url)
    await done(config, "replay", replay_file(here, post_of("1", claim_of(301))))
    assert "1 waiting" in await done(config, "backup", file)
    config = quick_config(there, redis=other_redis.url, store=f"sqlite:///{there}/elsewhere/record.sqlite")
    await done(config, "restore", file)
    assert not (there / "data" / "redis").exists()
    async with running_daemon(config) as daemon:
        await stored(daemon, 1)
    (there / "elsewhere" / "record.sqlite").unlink()
    (there / "data" / "author.key").unlink()
    assert "used by exowatch before" in await refused(config, "restore", file)


def test_what_cannot_be_backed_up_or_put_back_is_said_in_a_sentence(
    folders: tuple[Path, Path, Path], postgres_server: Postgres, capfd: pytest.CaptureFixture[str]
) -> None:
    here, there, file = folders

    def said(config: Path, *words: str | Path, status: int = 1) -> str:
        found, out, err = run_here(["--config", str(config), *map(str, words)], capfd)
        assert (found, out) == (status, "") or status == 0, err
        if status:
            one_sentence(err)
        return err

    config = quick_config(here)
    assert "there is nothing to back up" in said(config, "backup", file)
    said(config, "replay", replay_file(here, post_of("1", claim_of(301))), status=0)
    assert "cannot be written: No such file" in said(config, "backup", here / "none" / "x.tar.gz")
    said(config, "backup", file, status=0)
    assert "is there already" in said(config, "backup", file)
    assert "is there already" in said(config, "restore", file), "the record of this installation"
    other = quick_config(there, store=postgres_server.empty_database())
    assert "holds a record of SQLite" in said(other, "restore", file)
    said(other, "replay", replay_file(here, post_of("1", claim_of(301))), status=0)
    said(other, "backup", there / "x.tar.gz", status=0)
    shutil.rmtree(there / "data")
    assert "holds no record, since that was in PostgreSQL" in said(quick_config(there), "restore", there / "x.tar.gz")
    other = quick_config(there, store=postgres_server.empty_database())
    assert "put it back with pg_restore first" in said(other, "restore", there / "x.tar.gz")

    config = quick_config(there)
    whole = file.read_bytes()
    for content in (b"", b"no archive", whole[: len(whole) // 2], gzip.compress(b"x" * 10_000), packed({"backup.json": b"{}"})):
        (there / "broken").write_bytes(content)
        assert "is no backup of exowatch" in said(config, "restore", there / "broken")
    assert "there is no backup" in said(config, "restore", there / "none")
    for bad, words in (
        (changed(whole, revision="9999"), "newer exowatch (revision 9999)"),
        (changed(whole, form=2), "made by a newer exowatch"),
        (changed(whole, damage=True), "is damaged"),
    ):
        (there / "bad").write_bytes(bad)
        assert words in said(config, "restore", there / "bad")
    assert {path.name for path in (there / "data").iterdir()} <= {"daemon.lock"}, "a refusal leaves the folder as it was"
    (there / "strange").write_bytes(changed(whole))
    (there / "data" / "author.key").write_text("another" * 10)
    assert "is another one than the backup's" in said(config, "restore", there / "strange")
    (there / "data" / "author.key").unlink()
    said(config, "restore", there / "strange", status=0)
    assert not list(there.rglob("evil"))


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def changed(whole: bytes, *, revision: str = "", form: int = 1, damage: bool = False) -> bytes:
    """A backup made otherwise, with files in it that have no business there."""
    files = {"../evil": b"x", "/tmp/evil": b"x"}
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        for member in archive:
            inside = archive.extractfile(member)
            assert inside
            files[member.name] = inside.read()
    if revision:
        with closing(sqlite3.connect(":memory:")) as opened:
            opened.deserialize(files["exowatch.sqlite"])
            opened.execute("UPDATE alembic_version SET version_num = ?", (revision,))
            opened.commit()
            files["exowatch.sqlite"] = opened.serialize()
    if damage:
        record = files["exowatch.sqlite"]
        files["exowatch.sqlite"] = record[:4096] + os.urandom(8192) + record[12_288:]
    files["backup.json"] = json.dumps(json.loads(files["backup.json"]) | {"format": form}).encode()
    return packed(files)


async def test_a_backup_that_the_disk_cannot_hold_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    config, file = tmp_path / "monitor.toml", tmp_path / "vast.tar.gz"
    config.write_text('data_dir = "data"\n')
    member = tarfile.TarInfo("stream.jsonl")
    member.size = 10**15
    file.write_bytes(gzip.compress(member.tobuf() + b"{}\n" * 1_000))
    said = await refused(config, "restore", file)
    assert f"{file} unpacks to more than the " in said
    assert not list((tmp_path / "data").glob("*.restoring"))


async def test_a_record_in_postgresql_is_backed_up_by_its_own_tools_after_the_stream(
    folders: tuple[Path, Path, Path], own_postgres: Postgres, redis_server: RedisServer, other_redis: RedisServer
) -> None:
    here, there, file = folders
    make_roles(own_postgres)
    owner, store = (f"postgresql://{role}@/exowatch?host={own_postgres.folder}" for role in ("exowatch_owner", "exowatch_daemon"))
    dump = here / "exowatch.dump"
    async with FeedServer() as server, Receiver() as receiver:
        server.entries.append(FeedEntry(title="One", body=claim_of(301), id="1", author="ann"))
        parts = (feed("blog", server.url),)
        await done(quick_config(here, store=owner), "migrate")
        config = quick_config(here, *parts, hook=receiver.url, store=store, redis=redis_server.url)
        async with running_daemon(config) as daemon:
            await receiver.got(1)
            await daemon.until("/deliveries", lambda page: page["items"][0]["state"] == "delivered")
            said = {path: await daemon.get(path) for path in ("/mentions", "/mentions?text=collagen", "/claims", "/alerts")}
            out = await done(config, "backup", file)
            assert "1 cursors, 0 waiting, 0 dead" in out
            assert "run pg_dump now" in out
            run_tool(own_postgres, "pg_dump", "-Fc", "-f", dump, "-d", owner)
            server.entries.insert(0, FeedEntry(title="Two", body=claim_of(302), id="2", author="ann"))
            await receiver.got(2)
        own_postgres.do("DROP DATABASE exowatch")
        own_postgres.do("DROP ROLE exowatch_owner")
        own_postgres.do("DROP ROLE exowatch_daemon")
        make_roles(own_postgres)
        run_tool(own_postgres, "pg_restore", "--no-owner", "-d", owner, dump)
        config = quick_config(there, *parts, hook=receiver.url, store=store, redis=other_redis.url)
        await done(config, "restore", file)
        assert (there / "data" / "author.key").exists()
        async with running_daemon(config, "serve") as daemon:
            assert {path: await daemon.get(path) for path in said} == said
        async with running_daemon(config) as daemon:
            (_, _, again) = await receiver.got(3)
            assert "302" in again.quote, "what came after the backup"
            await daemon.until("/deliveries", lambda page: {one["state"] for one in page["items"]} == {"delivered"})
        assert len(receiver.kept) == 3


def make_roles(cluster: Postgres) -> None:
    """The database and its users, as the docs have them."""
    command: list[str | Path] = [cluster.binaries / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", cluster.folder, "-U", "exowatch"]
    subprocess.run([*command, "-d", "postgres", "-f", SQL], check=True, capture_output=True)


def run_tool(cluster: Postgres, name: str, *words: str | Path) -> None:
    subprocess.run([cluster.binaries / name, *words], check=True, capture_output=True)
