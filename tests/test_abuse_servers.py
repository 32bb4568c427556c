"""Redis and databases that are dead, wrong, killed, stalled, flushed or locked: one sentence, or a wait; nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
from pathlib import Path
from typing import Any

from monitor.embedded.places import read_state
from tests.abuse import claim_of, one_sentence, post_of, quick_config, replay_file
from tests.daemon_process import DaemonProcess, run_command, running_daemon, until
from tests.postgres import Postgres
from tests.receiver import Receiver
from tests.servers import RedisServer

POSTS = [post_of(str(n), claim_of(301 + n)) for n in range(40)]


async def readiness(daemon: DaemonProcess) -> str:
    """What /readyz says."""
    status, text = await daemon.raw("/readyz")
    return f"{status} {text if status == 200 else json.loads(text)['detail']}"


async def everything_once(daemon: DaemonProcess, receiver: Receiver, posts: list[dict[str, Any]] = POSTS) -> None:
    """That each post is stored once, each claim alerted once and each alert received once."""
    page = await daemon.until("/mentions?limit=500", lambda page: len(page["items"]) >= len(posts))
    assert sorted(one["platform_id"] for one in page["items"]) == sorted(post["id"] for post in posts)
    await daemon.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)
    claims = [got.event["data"]["claim"]["id"] for got in receiver.kept]
    assert len(set(claims)) == len(posts)
    assert len({got.id for got in receiver.kept}) == len(posts), "no claim is alerted twice"


async def replay_until_taken(daemon: DaemonProcess, file: str) -> None:
    """Replays as an operator would: again, as long as it says that it could not."""

    async def attempt() -> tuple[int, str, str]:
        status, out, err = await daemon.command("replay", file)
        if status:
            assert out == ""
            one_sentence(err)
        return status, out, err

    await until(attempt, lambda answer: answer[0] == 0)


# Redis


async def test_an_embedded_redis_that_is_killed_is_started_again_and_loses_nothing(tmp_path: Path) -> None:
    async with Receiver() as receiver, running_daemon(quick_config(tmp_path, hook=receiver.url)) as daemon:
        for half in (POSTS[:20], POSTS[20:]):
            file = replay_file(tmp_path, *half)
            await daemon.post("/mentions", half)
            # What was acknowledged a moment ago may not be on the disk yet (fsync every second): SIGKILL does not take it away.
            state = read_state(tmp_path / "data/redis")
            assert state is not None
            assert state.pid > 0
            os.kill(state.pid, signal.SIGKILL)
            await replay_until_taken(daemon, file)
        await everything_once(daemon, receiver)
        assert "was started again" in daemon.log()
        await until(lambda: readiness(daemon), lambda said: said.startswith("200"))


async def test_a_redis_that_stalls_and_goes_on_delays_and_loses_nothing(tmp_path: Path, redis_server: RedisServer) -> None:
    async with Receiver() as receiver:
        config = quick_config(tmp_path, redis=redis_server.url, hook=receiver.url)
        async with running_daemon(config) as daemon:
            file = replay_file(tmp_path, *POSTS)
            redis_server.stall()
            asking = asyncio.create_task(daemon.command("replay", file))
            assert await readiness(daemon) == "503 not ready: stream"
            assert (await daemon.get("/mentions"))["items"] == [], "what does not need Redis answers"
            status, out, err = await asking
            assert (status, out) == (1, "")
            one_sentence(err, "did not answer within 5 s")
            redis_server.resume()
            await replay_until_taken(daemon, file)
            await everything_once(daemon, receiver)


async def test_a_redis_that_is_full_then_flushed_then_killed_for_a_while(tmp_path: Path, redis_server: RedisServer) -> None:
    async with Receiver() as receiver:
        config = quick_config(tmp_path, redis=redis_server.url, hook=receiver.url)
        async with running_daemon(config) as daemon:
            redis_server.ask("CONFIG", "SET", "maxmemory", "1")
            status, out, err = await daemon.command("replay", replay_file(tmp_path, *POSTS))
            assert (status, out) == (1, "")
            one_sentence(err, "maxmemory")
            redis_server.ask("CONFIG", "SET", "maxmemory", "0")
            await daemon.post("/mentions", POSTS[:20])
            await daemon.until("/mentions", lambda page: len(page["items"]) == 20)

            redis_server.ask("FLUSHALL")
            # It no longer knows what it has heard: the record does.
            await daemon.post("/mentions", POSTS[:30])
            await daemon.until("/mentions", lambda page: len(page["items"]) == 30)

            redis_server.kill()
            await until(lambda: readiness(daemon), lambda said: said == "503 not ready: stream")
            status, out, err = await daemon.command("replay", replay_file(tmp_path, *POSTS))
            assert (status, out) == (1, "")
            one_sentence(err, "cannot be reached")
            assert err.endswith("; start it, or set another redis.url\n")
            redis_server.start()
            await replay_until_taken(daemon, replay_file(tmp_path, *POSTS))
            await everything_once(daemon, receiver)


async def test_a_wrong_redis_password_is_one_sentence_without_the_password(tmp_path: Path, redis_server: RedisServer) -> None:
    redis_server.ask("CONFIG", "SET", "requirepass", "right")
    config = quick_config(tmp_path, redis=f"unix://:wr0ng-s3cret@{redis_server.socket}")
    for command in (["run"], ["check"]):
        status, out, err = await run_command("--config", str(config), *command)
        assert status == 1
        assert "wr0ng" not in out + err
        if command == ["check"]:
            assert re.search(r"FAILED servers: .*password in redis\.url", out)
        else:
            one_sentence(err, "password in redis.url")


async def test_a_server_that_is_no_redis_is_one_sentence(tmp_path: Path) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        config = quick_config(tmp_path, redis=f"redis://127.0.0.1:{port}/0")
        status, out, err = await run_command("--config", str(config), "run")
    assert (status, out) == (1, "")
    one_sentence(err, f"127.0.0.1:{port}")


# PostgreSQL


async def test_a_postgresql_that_is_restarted_under_the_daemon_loses_nothing(tmp_path: Path, own_postgres: Postgres) -> None:
    async with Receiver() as receiver:
        config = quick_config(tmp_path, store=own_postgres.fresh_database(), hook=receiver.url)
        async with running_daemon(config) as daemon:
            await daemon.post("/mentions", POSTS[:5])
            await daemon.until("/mentions", lambda page: len(page["items"]) == 5)
            own_postgres.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            await daemon.post("/mentions", POSTS[5:10])
            await daemon.until("/mentions", lambda page: len(page["items"]) == 10)
            own_postgres.stop()
            status, text = await daemon.raw("/api/v1/mentions")
            assert (status, json.loads(text)["title"]) == (503, "Service Unavailable")
            # Posts are taken over HTTP all the same: they wait in the stream.
            assert await daemon.post("/mentions", POSTS[10:]) == {"accepted": 30, "duplicates": 0, "unmatched": 0, "errors": []}
            assert await readiness(daemon) == "503 not ready: database"
            status, out, err = await daemon.command("mentions")
            assert (status, out) == (1, "")
            one_sentence(err, "database")
            own_postgres.start()
            await everything_once(daemon, receiver)
            assert await readiness(daemon) == "200 ready"
            _, out, _ = await daemon.command("check")
            assert "ok     servers" in out
        assert not [line for line in daemon.log().splitlines() if json.loads(line)["level"] == "error"]


async def test_what_keeps_postgresql_from_being_used_is_one_sentence(tmp_path: Path, own_postgres: Postgres) -> None:
    own_postgres.do("CREATE ROLE guest LOGIN PASSWORD 'r1ght'")
    folder = own_postgres.folder
    good = own_postgres.fresh_database()
    rows = {
        "no such database": (f"postgresql://exowatch@/nowhere?host={folder}", "nowhere"),
        "no such user": (f"postgresql://nobody@/postgres?host={folder}", "nobody"),
        "a user without rights": (good.replace("exowatch@", "guest@"), "permission denied"),
    }
    for name, (url, said) in rows.items():
        status, out, err = await run_command("--config", str(quick_config(tmp_path, store=url)), "run")
        assert (name, status, out) == (name, 1, "")
        one_sentence(err, said)
    own_postgres.stop()
    own_postgres.want_passwords()
    own_postgres.start()
    config = quick_config(tmp_path, store=f"postgresql://guest:wr0ng-s3cret@/postgres?host={folder}")
    for command in ("mentions", "check"):
        status, out, err = await run_command("--config", str(config), command)
        assert (command, status) == (command, 1)
        assert "password" in out + err
        assert "wr0ng" not in out + err
        if command != "check":
            one_sentence(err)
    own_postgres.stop()
    status, out, err = await run_command("--config", str(quick_config(tmp_path, store=good)), "run")
    assert (status, out) == (1, "")
    one_sentence(err, "database")


# SQLite


async def test_a_database_that_another_process_locks_is_waited_for_also_over_a_stop(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        config = quick_config(tmp_path, hook=receiver.url)
        async with running_daemon(config) as daemon:
            other = sqlite3.connect(tmp_path / "data/exowatch.sqlite", isolation_level=None)
            try:
                other.execute("BEGIN IMMEDIATE")
                await daemon.post("/mentions", POSTS[:20])
                await asyncio.sleep(1.0)  # the lock lasts: this is not a wait for something
                assert (await daemon.get("/mentions"))["items"] == [], "who reads is not held up"
                other.execute("COMMIT")
                await daemon.until("/mentions", lambda page: len(page["items"]) == 20)
                await daemon.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)

                other.execute("BEGIN IMMEDIATE")
                status, out, err = await daemon.command("replay", replay_file(tmp_path, *POSTS))
                assert (status, out, err) == (0, "accepted 20, duplicates 20, unmatched 0\n", "")
                assert await daemon.stop() == 0
            finally:
                other.close()
        async with running_daemon(config) as daemon:
            await everything_once(daemon, receiver)
