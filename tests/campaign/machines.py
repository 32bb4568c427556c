"""One installation: its servers, the ways to them, and the exowatch processes that use them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import shutil
import signal
import sqlite3
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

import aiohttp
import asyncpg

from monitor.embedded.places import is_redis_on, read_state
from tests.campaign.checker import Ask
from tests.campaign.disk import small_disk
from tests.campaign.processes import Helper, Kept, exowatch, helper
from tests.campaign.talk import SPREADING, Talk, write_pack
from tests.checker import query
from tests.many_servers import Cluster, Watched
from tests.postgres import QUICK, Postgres, running_postgres
from tests.receiver import SECRET
from tests.scratch import short_folder
from tests.servers import BINARIES, RedisServer, ask

# Many processes with PostgreSQL and one Redis, one that sentinels watch, or a cluster; or `exowatch run` alone with SQLite.
Kind = Literal["many", "sentinel", "cluster", "alone"]
COLLECTORS, WORKERS, SENDERS = 2, 3, 2
PARTITIONS = 3  # of the cluster: one for each of its primaries
SMALL_LOG = ("-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB")  # PostgreSQL's, to fit its small disk
WARM_UP = 40  # posts before anything breaks


class Installation:
    """`folder` holds all of it."""

    def __init__(self, folder: Path, talk: Talk, kind: Kind) -> None:
        self.folder = folder
        self.talk = talk
        self.kind = kind
        self.alone = kind == "alone"
        self.receipts = folder / "receipts.jsonl"
        self.released = 0
        self.kills = 0
        self.processes: list[Kept] = []
        self.store_url = f"sqlite://{folder / 'place' / 'data' / 'exowatch.sqlite'}"  # as the checker reaches it
        self._stack = AsyncExitStack()
        self._author_key = secrets.token_hex(32)

    own_disk = False
    postgres_disk = False
    redis: RedisServer
    watched: Watched
    cluster: Cluster
    postgres: Postgres
    world: Helper
    hook: Helper
    redis_way: Helper
    postgres_way: Helper

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        self.folder.mkdir(parents=True)
        self.receipts.touch()
        talk, start_ms = self.talk, int(time.time() * 1000)
        words = (talk.seed, talk.posts, talk.claims, talk.sources, start_ms, self.receipts)
        self.world = await self._helper("standin", *words)
        self.hook = await self._helper("proxy", self.world.port)
        if self.alone:
            self.own_disk = self._stack.enter_context(small_disk(self.folder / "place"))
        else:
            await self._open_servers()
        for number in range(1 if self.alone else COLLECTORS):
            await self._write_config(f"collect-{number}", range(talk.sources))
        if not self.alone:
            await self._write_config("work", ())
        for name, role, config in self._roles():
            log = config.with_name(f"{name}.log")  # of the one that is alone: on the disk that can be full
            self.processes.append(Kept(name, exowatch(role, config), log))
        self._stack.push_async_callback(self._end)
        for process in self.processes:
            process.keep()
            if process is self.processes[0]:
                await self._until("SELECT COUNT(*) >= 0 FROM attempt")  # made once, by the first
        # A stream is heard from when it is first listened to: nothing of it may be lost from then on.
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.world.port}/listening"):
            self.release(WARM_UP)
        await self._until("SELECT COUNT(*) > 0 FROM mention WHERE source = 'stream'")

    async def _open_servers(self) -> None:
        if self.kind == "sentinel":
            self.watched = await asyncio.to_thread(Watched, BINARIES[0])
            self._stack.callback(self.watched.remove)
        elif self.kind == "cluster":
            self.cluster = await asyncio.to_thread(Cluster, BINARIES[0], 3)
            self._stack.callback(self.cluster.remove)
        else:
            await self._open_redis()
        folder = short_folder("exowatch-pg-")
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self.postgres_disk = self._stack.enter_context(small_disk(folder, "1g"))
        server = running_postgres(*QUICK, *SMALL_LOG, folder=folder)
        self.postgres = await asyncio.to_thread(self._stack.enter_context, server)
        self.postgres_way = await self._helper("proxy", self.postgres.folder / ".s.PGSQL.5432")
        self.store_url = await asyncio.to_thread(self.postgres.empty_database)

    async def _open_redis(self) -> None:
        self.redis = RedisServer(BINARIES[0])
        self._stack.callback(shutil.rmtree, self.redis.folder, ignore_errors=True)
        self.own_disk = self._stack.enter_context(small_disk(self.redis.folder))
        self._stack.callback(self.redis.remove)
        await asyncio.to_thread(self.redis.start)
        self.redis_way = await self._helper("proxy", self.redis.socket)

    async def _helper(self, module: str, *words: object) -> Helper:
        found = Helper(module, helper(module, *words), self.folder / f"{module}.log")
        self._stack.push_async_callback(found.kill)
        await found.start()
        return found

    async def _end(self) -> None:
        await asyncio.gather(*(process.drop() for process in self.processes))
        self.kill_embedded()

    def kill_embedded(self) -> None:
        """SIGKILL to the redis-server of a daemon that has its own; it outlives the daemon."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._embedded(), signal.SIGKILL)

    def _embedded(self) -> int:
        """The id of that server. Raises ProcessLookupError where none runs: what is noted may be old, or 0 (which kills us)."""
        folder = self.folder / "place" / "data" / "redis"
        state = read_state(folder)
        if state is None or not is_redis_on(state.pid, folder, Path(state.socket)):
            raise ProcessLookupError
        return state.pid

    def _ask_embedded(self, *command: str | int) -> bytes:
        """Raises OSError where it does not run just now; a new one has another socket."""
        state = read_state(self.folder / "place" / "data" / "redis")
        if state is None:
            raise ConnectionError
        return ask(Path(state.socket), *command)

    def writers(self) -> list[int]:
        """The processes that write to the disk that can be full."""
        return [self.processes[0].pid, self._embedded()] if self.alone else [self.redis.pid]

    def redis_answers(self) -> bool:
        """Whether Redis runs and takes what is written to it."""
        try:
            return self.redis.ask("PING").startswith(b"+PONG")
        except OSError:
            return False

    @property
    def partitions(self) -> int:
        return PARTITIONS if self.kind == "cluster" else 1

    def redis_servers(self) -> list[Ask]:
        """How each redis-server is asked; those that took a lost one's place come first."""
        if self.alone:
            return [self._ask_embedded]
        if self.kind == "many":
            return [self.redis.ask]
        return [one.ask for one in reversed(self.watched.servers if self.kind == "sentinel" else self.cluster.nodes)]

    def _roles(self) -> list[tuple[str, str, Path]]:
        if self.alone:
            return [("run", "run", self.config("collect-0"))]
        found = [("serve", "serve", self.config("work"))]
        found += [(f"collector-{n}", "collect", self.config(f"collect-{n}")) for n in range(COLLECTORS)]
        found += [(f"worker-{n}", "work", self.config("work")) for n in range(WORKERS)]
        return found + [(f"sender-{n}", "deliver", self.config("work")) for n in range(SENDERS)]

    def config(self, name: str) -> Path:
        return self.folder / "place" / name / "monitor.toml" if not self.alone else self.folder / "place" / "monitor.toml"

    def _redis(self) -> str:
        if self.kind == "many":
            return f'url = "redis://127.0.0.1:{self.redis_way.port}/0"'
        return (
            f'url = "{self.watched.url}"'
            if self.kind == "sentinel"
            else f'url = "{self.cluster.url}"\npartitions = {self.partitions}'
        )

    async def _write_config(self, name: str, sources: range | tuple[int, ...]) -> None:
        file = self.config(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_pack(file.parent)
        database = urlsplit(self.store_url).path.lstrip("/")
        parts = ['topic = "bread"\ndata_dir = "data"\n[api]\nport = 0\n', f'[privacy]\nkey = "{self._author_key}"\n']
        if not self.alone:
            parts.append(f"[redis]\n{self._redis()}\n")
            parts.append(f'[store]\nurl = "postgresql://exowatch@127.0.0.1:{self.postgres_way.port}/{database}"\n')
        parts.append(f"[alerts]\nspreading = {list(SPREADING)}\n")
        parts.append(
            f'[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "http://127.0.0.1:{self.hook.port}/hook"\n'
            f'secret = "{SECRET}"\nevents = ["claim.new", "claim.spreading"]\nallow_private = true\n'
        )
        world = f"http://127.0.0.1:{self.world.port}"
        for n in sources:
            if n == self.talk.sources - 1:
                parts.append(f'[[source]]\nname = "stream"\nkind = "bluesky"\nbase_url = "{world}"\ncompress = false\n')
            else:
                parts.append(
                    f'[[source]]\nname = "forum{n}"\nkind = "feed"\nurl = "{world}/feed/{n}.json"\nplatform = "forum{n}"\n'
                    'interval = "2s"\nbase_url = "' + world + '"\n'
                )
        file.write_text("".join(parts))

    async def _until(self, question: str) -> None:
        """Returns once the database says yes."""
        async with asyncio.timeout(120):
            while True:
                with contextlib.suppress(sqlite3.Error, asyncpg.PostgresError, OSError):
                    if (await query(self.store_url, question))[0][0]:
                        return
                await asyncio.sleep(0.1)

    def release(self, posts: int) -> None:
        """Makes the first so many posts public."""
        self.released = posts
        self.world.say(f"release {posts}")

    def of_role(self, role: str) -> list[Kept]:
        return [one for one in self.processes if one.name.startswith(role)]

    async def strike_one(self, dice: random.Random) -> None:
        """SIGKILL to one process at random that runs."""
        running = [one for one in self.processes if one.running]
        if running and await dice.choice(running).strike():
            self.kills += 1
