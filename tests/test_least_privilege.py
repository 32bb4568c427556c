"""The examples of least privilege in docs/deploy: with these rights and no others the whole journey works."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import redis as redis_py
from redis.exceptions import NoPermissionError

from monitor.stream import Item, Signal, Stream, StreamError
from monitor.stream.buckets import Spending
from monitor.stream.sayings import Saying
from tests.abuse import one_sentence
from tests.daemon_process import run_command, running_daemon
from tests.postgres import Postgres
from tests.receiver import Receiver
from tests.servers import RedisServer, every_redis
from tests.standins.feed_server import FeedEntry, FeedServer
from tests.streaming import reading
from tests.test_roles import write_config

ROOT = Path(__file__).resolve().parents[1]
ACL = ROOT / "docs" / "deploy" / "redis.acl"
SQL = ROOT / "docs" / "deploy" / "postgresql.sql"
POST = {"platform": "forum", "id": "1", "text": "My clinic's exosomes cure arthritis.", "author": "somebody"}


@pytest.fixture
def guarded(redis_server: RedisServer) -> str:
    """The address of a redis-server under the example's rules, for the user that is meant for exowatch."""
    redis_server.kill()
    redis_server.start("--aclfile", str(ACL), until=b"-NOAUTH")
    return f"unix://exowatch:change-me@{redis_server.socket}"


@pytest.fixture
def admin(guarded: str, redis_server: RedisServer) -> Iterator[redis_py.Redis]:
    with redis_py.Redis(unix_socket_path=str(redis_server.socket), username="admin", password="change-me-admin") as client:
        yield client


async def whole_journey(folder: Path, redis_url: str, store_url: str) -> None:
    """All roles, each a process of its own: posts go from a feed and over HTTP to a receiver, and commands do the rest."""
    async with FeedServer() as feed, Receiver() as receiver, AsyncExitStack() as processes:
        config = write_config(folder, redis_url, store_url, receiver.url, feed.url)
        feed.entries.append(FeedEntry(title="News", body="Our exosomes are FDA approved.", id="1"))
        started = [
            await processes.enter_async_context(running_daemon(config, role)) for role in ("serve", "deliver", "work", "collect")
        ]
        server = started[0]
        await receiver.got(1)
        await server.post("/mentions", [POST])
        await receiver.got(2)
        for words, said in JOURNEY:
            status, out, err = await server.command(*words)
            assert (words, status, err) == (words, 0, "")
            assert said in out
        assert (await server.raw("/readyz"))[0] == 200
        assert "exowatch_stream_entries 0" in (await server.raw("/metrics"))[1]
        for process in started:
            assert not [line for line in process.log().splitlines() if json.loads(line)["level"] == "error"]
            assert "permission" not in process.log().lower()


JOURNEY = (
    (("mentions", "--text", "approved"), "approved"),
    (("claims", "--format", "csv"), "c_"),
    (("rejudge", "--since", "1d"), ""),
    (("authors", "rotate-key"), ""),
    (("forget", "forum:1", "--yes"), ""),
    (("endpoints", "test", "hook"), ""),
    (("check",), "ok     servers"),
    (("dead", "list"), ""),
)


# Redis


@pytest.mark.parametrize("redis_server", every_redis(), indirect=True)
async def test_the_user_of_the_example_may_do_all_that_exowatch_does_and_nothing_else(
    guarded: str, admin: redis_py.Redis
) -> None:
    stream = await Stream.open(guarded, 2)
    await use_everything(stream)
    await stream.close()
    assert admin.acl_log() == []
    used = {name.removeprefix("cmdstat_").partition("|")[0] for name in admin.info("commandstats")}
    assert granted() <= used, "a right that nothing needs"

    own = redis_py.Redis.from_url(guarded)
    for words in (
        ("GET", "somebody-elses"),
        ("SET", "somebody-elses", "1"),
        ("DEL", "exowatch:v1:{p0}:mentions"),
        ("KEYS", "*"),
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("ACL", "LIST"),
        ("SHUTDOWN",),
        ("XGROUP", "DESTROY", "exowatch:v1:{p0}:mentions", "workers"),
        ("PUBLISH", "somebody-elses", "1"),
        ("SLAVEOF", "127.0.0.1", "1"),
    ):
        with pytest.raises(NoPermissionError):
            own.execute_command(*words)
    with pytest.raises(redis_py.ResponseError, match=r"(?i)perm|access"):
        own.eval("return redis.call('GET', 'somebody-elses')", 0)
    own.close()


@pytest.mark.parametrize("redis_server", every_redis(), indirect=True)
@pytest.mark.parametrize("right", ["-get", "-evalsha", "-xadd", "resetkeys ~exowatch:v1:{p0}:m* ~exowatch:v1:{p0}:part*"])
async def test_a_user_who_lacks_a_right_is_told_so(guarded: str, admin: redis_py.Redis, right: str) -> None:
    admin.execute_command("ACL", "SETUSER", "exowatch", *right.split())
    with pytest.raises(StreamError, match=r"the user in redis\.url may not do this"):
        await publish_once(guarded)


async def publish_once(url: str) -> None:
    await (await Stream.open(url)).close()
    stream = await Stream.open(url)  # the second look at what is agreed on asks with GET
    try:
        await stream.publish([Item("k", b"1")])
    finally:
        await stream.close()


async def use_everything(stream: Stream) -> None:
    """All that a stream can do; what it may not raises StreamError."""
    await stream.publish([Item(f"k{n}", b"%d" % n, names=(f"n{n}",)) for n in range(6)], source="feed", cursor="c")
    assert await stream.cursor("feed") == "c"
    assert await stream.published_lately(["n1"]) == {"n1"}
    await stream.note_said({"a": Saying("1")})
    assert await stream.last_said(["a"]) == {"a": Saying("1")}
    await settle_or_bury(stream)
    assert (await stream.stats()).dead > 0
    (one, *_) = await stream.dead()
    assert await stream.replay_dead([one.id]) == 1
    assert await stream.replay_dead() > 0
    assert await stream.purge(bool) > 0
    await tell_and_hear(stream)
    await stream.share_metrics("p", b"{}")
    assert await stream.shared_metrics() == [b"{}"]
    cap = Spending(unit="usd", period="day", most=1, cost=0.5, kept_s=60)
    taken = await stream.buckets.take("b", most=5, per_ms=1, member="m", distinct=2, distinct_ms=9_000, spending=[cap])
    assert taken.wait_ms == 0
    taken = await stream.buckets.take("b", most=5, per_ms=1, member="n", distinct=1, distinct_ms=9_000)
    assert taken.why == "distinct"
    await stream.buckets.told("b", wait_ms=1, left=1, well=True)
    await stream.buckets.told("b", well=False)
    await stream.buckets.add("b", "usd", "day", 0.25, 60)
    assert await stream.buckets.spent("b", "usd", "day") == 0.75


async def settle_or_bury(stream: Stream) -> None:
    """Of each partition one entry is done and the others die of failing."""
    done = 0
    for partition in range(stream.partitions):
        async with reading(stream, "w", partition, claim_after_s=0.05) as reader:
            (first, *_) = entries = await reader.read(100, 0)
            await reader.renew(entries)
            await reader.settle([first])
            await reader.hand_back(entries[1:])
            async with asyncio.timeout(60):
                while (await stream.stats()).dead < done + len(entries) - 1:
                    failing = await reader.read(100, 0.05)
                    await reader.settle([], {one.id: "it fails" for one in failing})
            done += len(entries) - 1


async def tell_and_hear(stream: Stream) -> None:
    position = await stream.signal_position()
    heard = stream.signals(position)
    await stream.signal(Signal(kind="alert", id="a_1"))
    assert (await anext(heard)).id == "a_1"
    assert await stream.signals_kept()
    await heard.aclose()


def granted() -> set[str]:
    """The commands that the example grants."""
    return set(re.findall(r"\+([a-z]+)", ACL.read_text().splitlines()[2]))


# The whole, with PostgreSQL


async def test_all_roles_run_with_the_rights_of_the_examples(
    tmp_path: Path, guarded: str, admin: redis_py.Redis, own_postgres: Postgres
) -> None:
    psql(own_postgres, "exowatch", "postgres", "-f", str(SQL))
    own_postgres.stop()
    own_postgres.want_passwords()
    own_postgres.start()
    owner, daemon = (
        f"postgresql://{role}:{password}@/exowatch?host={own_postgres.folder}"
        for role, password in (("exowatch_owner", "change-me-owner"), ("exowatch_daemon", "change-me"))
    )
    config = write_config(tmp_path, guarded, daemon, "http://127.0.0.1:1/")
    status, out, err = await run_command("--config", str(config), "run")
    assert (status, out) == (1, "")
    one_sentence(err, "permission denied")

    config = write_config(tmp_path, guarded, owner, "http://127.0.0.1:1/")
    _, out, _ = await run_command("--config", str(config), "migrate")
    assert "are up to date" in out
    await whole_journey(tmp_path, guarded, daemon)
    assert admin.acl_log() == []

    for statement in (
        "CREATE TABLE public.mine (n int)",
        "CREATE TEMP TABLE mine (n int)",
        "CREATE SCHEMA mine",
        "DROP TABLE alert",
        "ALTER TABLE alert ADD COLUMN mine int",
        "TRUNCATE alert",
        "CREATE ROLE mine",
        "COPY alert TO PROGRAM 'true'",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_read_file('postgresql.conf')",
    ):
        answer = psql(own_postgres, "exowatch_daemon", "exowatch", "-c", statement, password="change-me", good=False)
        assert re.search("permission denied|must be owner|must be superuser", answer), f"{statement}: {answer}"


def psql(cluster: Postgres, user: str, base: str, *words: str, password: str = "", good: bool = True) -> str:
    """What psql says on stderr."""
    command: list[str | Path] = [cluster.binaries / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", cluster.folder]
    done = subprocess.run(
        [*command, "-U", user, "-d", base, *words], capture_output=True, text=True, env={"PGPASSWORD": password}, check=False
    )
    assert (done.returncode == 0) == good, done.stderr
    return done.stderr
