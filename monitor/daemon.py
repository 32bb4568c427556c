"""Puts the parts together: one process that plays some or all of the roles.

The only module, beside the command line, that knows collectors, workers and the API at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from functools import cached_property, partial
from typing import Literal

import structlog
from aiohttp import web

from monitor import metrics, watchdog
from monitor.alive import said_to_live
from monitor.api import MAX_LINE, make_app
from monitor.children import keep_worker
from monitor.collectors.role import Collecting
from monitor.connections import DaemonError, opened
from monitor.datadir import CollectorSlot, WorkerSlot, kept_key, private_folder
from monitor.edits import Record
from monitor.embedded import connect_running
from monitor.explain import Present
from monitor.forgotten import Forgotten
from monitor.ids import public_id
from monitor.intake import Intake
from monitor.pause import cancelled, either, pause, until
from monitor.pseudonyms import keys_of, pseudonyms_of
from monitor.readiness import Readiness
from monitor.restarts import Restarts
from monitor.settings import Settings
from monitor.store import Database
from monitor.stream import Signal, Stream
from monitor.systemd import Systemd
from monitor.topic import Topic, TopicError, load_topic
from monitor.topic.follow import Follower
from workers.deliver.sender import Sender
from workers.judgement import Judge
from workers.pipeline import Worker
from workers.readers import opened_reader, version_of
from workers.retell import hold_claims, keep_register

log = structlog.get_logger()

Role = Literal["collect", "work", "deliver", "serve"]
Job = Callable[[], Awaitable[None]]
ALL_ROLES: tuple[Role, ...] = ("collect", "work", "deliver", "serve")
STOP_WITHIN_S = 15.0
# How far processes that only judge give way: where a backlog takes all cores, whoever asks the API waits no longer for it.
WORKERS_GIVE_WAY = 10
JOINED_EVERY_S = 2.0  # whether the daemon that a role joined is still the same
LOOK_EVERY_S = 2.0  # at the topic pack's files
LOOK_AGAIN_S = 0.5  # while they are being written


class Daemon:
    """The roles of one process on open connections. `workers` counts this process and the worker processes that it starts."""

    def __init__(
        self,
        settings: Settings,
        topic: Topic,
        stream: Stream,
        database: Database,
        *,
        slot: str = "worker",
        owner: str = "collector",
        workers: int = 1,
        follower: Follower | None = None,
    ) -> None:
        self.settings = settings
        self.topic = topic
        self.stream = stream
        self.database = database
        forgotten = Forgotten(database, keys_of(settings)[0])
        self.intake = Intake(stream, topic.keywords, pseudonyms_of(settings), forgotten, Record(stream, database))
        self._follower = follower or Follower(settings.topic_folder, settings.watchlist_file)
        self._renewed = asyncio.Event()  # set once another judge has taken this one's place
        self.slot = slot  # the consumer name of this process
        self.owner = owner  # the name under which it holds leases
        self.workers = workers
        self.address: str | None = None  # of the API, once it is served
        self._readiness = Readiness(settings, stream, database)

    @cached_property
    def judge(self) -> Judge:
        """Loaded with its model when it is first asked for: only the workers' role is. Raises TopicError."""
        return Judge(self.topic, self.settings.alerts.jurisdictions)

    async def run(self, roles: tuple[Role, ...], stop: asyncio.Event, ready: Callable[[Daemon], None]) -> None:
        """Plays the roles until `stop` is set, then lets each finish what it has in hand. Raises DaemonError, TopicError."""
        if "work" in roles:  # who cannot judge is not ready
            await asyncio.to_thread(lambda: self.judge)
        # What is loaded by now stays. To look through all of it for garbage would stop everything for a tenth of a second,
        # again and again.
        gc.freeze()
        systemd = Systemd.of()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(watchdog.watched(systemd))
            if "serve" in roles:
                self.address = await stack.enter_async_context(self._served(name_of(roles)))
            else:
                await stack.enter_async_context(metrics.shared(self.stream, name_of(roles)))
            jobs = await self._jobs(roles, stop)
            tasks = [asyncio.create_task(_keep(name, work, stop), name=name) for name, work in jobs.items()]
            await stack.enter_async_context(said_to_live(self.settings.data_dir, name_of(roles)))
            ready(self)
            systemd.ready()
            await stop.wait()
            systemd.stopping()
            log.info("stopping")
            _, late = await asyncio.wait(tasks, timeout=STOP_WITHIN_S) if tasks else (set(), set())
            for task in late:
                log.warning("did not stop in time, cancelled", job=task.get_name())
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _jobs(self, roles: tuple[Role, ...], stop: asyncio.Event) -> dict[str, Job]:
        """What runs side by side, by name; each can be started anew by itself."""
        jobs: dict[str, Job] = {"follow the topic pack": partial(self._follow_pack, stop)}
        if "work" in roles:
            jobs["hold claims against the register"] = partial(self._hold_claims, stop)
            for partition in range(self.settings.redis.partitions):
                jobs[f"work {partition}"] = partial(self._work, partition, stop)
            for number in range(1, self.workers):
                jobs[f"worker process {number}"] = partial(keep_worker, self.settings, number, stop)
        if "deliver" in roles:
            sender = Sender(self.database, self.settings.endpoint, keep=self.settings.deliveries, stream=self.stream)
            jobs["deliver"] = partial(sender.run, stop)
            jobs["wake sender"] = lambda: until(stop, self._wake(sender))
        if "collect" in roles:
            role = Collecting(self.settings, self.stream, self.database, self.intake, lambda: self.topic, self.owner)
            jobs |= await role.jobs(stop)
        return jobs

    async def _work(self, partition: int, stop: asyncio.Event) -> None:
        """Keeps a worker at the partition; another takes over between two batches when the topic pack has changed."""
        while not stop.is_set():
            renewed, names = self._renewed, self.topic.watchlist
            reading = opened_reader(self.settings.classifier, self.topic, self.judge, self.database)
            async with either(stop, renewed) as over, reading as posts:
                await Worker(self.slot, self.stream, self.database, posts, self.settings, partition, watchlist=names).run(over)
            if renewed.is_set() and not stop.is_set():
                log.info("posts are judged by the changed topic pack", partition=partition)

    async def _hold_claims(self, stop: asyncio.Event) -> None:
        """Brings the verdicts of all claims on record to date: at the start, and whenever the topic pack has changed."""
        while not stop.is_set():
            topic, renewed = self.topic, self._renewed
            jurisdictions = self.settings.alerts.jurisdictions
            await keep_register(self.database, topic)
            async with either(stop, renewed) as over:
                raised = await hold_claims(self.database, topic, jurisdictions, self.settings.endpoint, over)
                if raised:
                    log.info("verdicts changed with the register", alerts=len(raised), register=topic.register.version)
                    await self.stream.signal(*(Signal(kind="alert", id=public_id("a", number)) for number in raised))
                await over.wait()

    async def _follow_pack(self, stop: asyncio.Event) -> None:
        """Looks at the topic pack's files now and then, and takes up what has changed; a broken pack leaves the last good one."""
        while not stop.is_set():
            await pause(stop, LOOK_EVERY_S if self._follower.settled else LOOK_AGAIN_S)
            try:
                topic = await asyncio.to_thread(self._follower.look)
                if topic is not None:
                    self._readiness.pack_error = None
                    self._take_up(topic, await asyncio.to_thread(Judge, topic, self.settings.alerts.jurisdictions))
            except TopicError as error:
                self._readiness.pack_error = str(error)
                log.error("the changed topic pack cannot be used, going on with the one before it", error=str(error))

    def _take_up(self, topic: Topic, judge: Judge) -> None:
        self.topic, self.judge = topic, judge
        self.intake.keywords = topic.keywords
        renewed, self._renewed = self._renewed, asyncio.Event()
        renewed.set()
        log.info("topic pack loaded anew", lexicon=topic.version, register=topic.register.version, entries=len(topic.register))

    async def _wake(self, sender: Sender) -> None:
        async with contextlib.aclosing(self.stream.signals()) as signals:
            async for event in signals:
                if event.kind == "alert":
                    sender.wake()

    async def _present(self) -> Present:
        """What posts are judged by now. The version is read from the files: a process that only serves has no model in memory."""
        classifier = await asyncio.to_thread(version_of, self.settings.classifier, self.topic)
        return Present(classifier=classifier, register=self.topic.register.version)

    def _login_key(self) -> bytes | None:
        """What signs the logins of named tokens: kept, so that they outlive a restart. Raises DaemonError."""
        if not self.settings.token:
            return None
        file = private_folder(self.settings.data_dir) / "login.key"
        try:
            return kept_key(file)
        except (OSError, ValueError) as error:
            raise DaemonError(f"the logins' key {file} cannot be used ({error}); remove it for a new one") from None

    @asynccontextmanager
    async def _served(self, role: str) -> AsyncIterator[str]:
        """The API and the pages; gives their address."""
        api = self.settings.api
        app = make_app(
            settings=self.settings,
            database=self.database,
            stream=self.stream,
            intake=self.intake,
            ready=self._readiness.troubles,
            present=self._present,
            authorities=lambda: self.topic.lexicon.authorities,
            register=lambda: self.topic.register,
            role=role,
            login_key=self._login_key(),
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0, max_line_size=MAX_LINE)
        await runner.setup()
        try:
            site = web.TCPSite(runner, api.host, api.port)
            try:
                await site.start()
            except OSError as error:
                mend = "set api.host to an address of this machine"
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    mend = "stop what uses it, or set api.port (0: any free one)"
                raise DaemonError(f"cannot listen on {api.host}:{api.port} ({_reason(error)}); {mend}") from None
            port = runner.addresses[0][1]
            host = f"[{api.host}]" if ":" in api.host else api.host
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()


def name_of(roles: tuple[Role, ...]) -> str:
    """What a process that plays these roles is called in metrics: its role, or `run` where it plays several."""
    return roles[0] if len(roles) == 1 else "run"


def _reason(error: OSError) -> str:
    """Why, without the address that asyncio puts into it."""
    known = error.errno in errno.errorcode and not isinstance(error, socket.gaierror)
    return os.strerror(error.errno) if known and error.errno else error.strerror or str(error)


async def _keep(name: str, work: Job, stop: asyncio.Event, restarts: Restarts | None = None) -> None:
    """Runs one job; where it fails unexpectedly it is logged and started anew, and the other jobs go on."""
    restarts = restarts or Restarts()
    while not stop.is_set():
        restarts.started()
        try:
            await work()
        except Exception:
            after_s = restarts.rest()
            log.exception("job failed, starting it again", job=name, after_s=after_s)
            await pause(stop, after_s)
        else:
            return


async def run(
    settings: Settings,
    roles: tuple[Role, ...],
    ready: Callable[[Daemon], None],
    *,
    workers: int = 1,
    with_parent: bool = False,
) -> None:
    """Plays the roles until SIGTERM or SIGINT; with `with_parent` also until standard input is closed.

    All roles together are the daemon of their data folder. One alone joins a daemon that runs there, and its embedded server.
    Raises DaemonError, TopicError, DataDirError.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), stop.set)
    os.umask(0o077)
    if roles == ("work",):
        os.nice(WORKERS_GIVE_WAY)
    follower = Follower(settings.topic_folder, settings.watchlist_file)
    topic = await asyncio.to_thread(load_topic, settings.topic_folder, settings.watchlist_file)
    alone = roles != ALL_ROLES
    joined = connect_running(settings.data_dir) if alone and not settings.redis.url else None
    if with_parent and not joined and not settings.redis.url:  # it would keep the next daemon out of the folder
        raise DaemonError("the daemon that this process belongs to is gone or has no server yet")
    async with opened(settings, own=not alone, joined=joined) as (stream, database):
        leaving = asyncio.create_task(_leave_with(joined, settings, stop))
        with (
            WorkerSlot(settings.data_dir) if "work" in roles else nullcontext() as slot,
            CollectorSlot(settings.data_dir) if "collect" in roles else nullcontext() as collector,
        ):
            names = {"slot": slot.name if slot else "", "owner": collector.name if collector else ""}
            daemon = Daemon(settings, topic, stream, database, **names, workers=workers, follower=follower)
            await daemon.run(roles, stop, ready)
        await cancelled(leaving)


async def _leave_with(joined: str | None, settings: Settings, stop: asyncio.Event) -> None:
    """Stops a role that joined a daemon's embedded server when that daemon comes back with another one."""
    while joined is not None and not stop.is_set():
        if connect_running(settings.data_dir) not in (None, joined):
            log.error("the daemon that this process had joined was started anew: start this process again too")
            stop.set()
        await pause(stop, JOINED_EVERY_S)
