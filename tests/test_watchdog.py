"""Loops and jobs that stand still are told; those that only wait, and machines that slept, are not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from monitor import telemetry, watchdog
from monitor.readiness import FULL_BYTES, LOW_BYTES, Readiness, of_disk
from monitor.settings import Settings
from monitor.store import Database
from monitor.stream import Item, Stream
from monitor.systemd import Systemd
from monitor.words import Post, encode
from tests.abuse import quick_config
from tests.daemon_process import PATIENCE_S, ROOT, running_daemon, until
from workers.pipeline import Worker
from workers.reader import Given, Weighed

GB = 1024**3


class Process:
    """tests/standins/blocked_loop.py, asked by lines."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process, self._log = process, log

    async def ask(self, line: str) -> str:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n".encode())
        return await self.answer()

    async def answer(self) -> str:
        assert self._process.stdout
        async with asyncio.timeout(PATIENCE_S):
            return (await self._process.stdout.readline()).decode().strip()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]


@asynccontextmanager
async def process(folder: Path, **environment: str) -> AsyncIterator[Process]:
    log = folder / "log"
    with log.open("wb") as err:
        started = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.standins.blocked_loop"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=err,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
    try:
        running = Process(started, log)
        assert await running.answer() == "ready"
        yield running
    finally:
        assert started.stdin
        started.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            await started.wait()


async def test_a_blocked_loop_is_told_once_with_its_place_and_without_what_variables_held(tmp_path: Path) -> None:
    async with process(tmp_path) as blocked:
        assert await blocked.ask("how are you") == "stalls 0"
        assert await blocked.ask("block") == "stalls 1"
        await until(lambda: _names(blocked), lambda names: names[-1:] == ["the event loop turns again"])
    told, again = blocked.log()
    assert (told["event"], told["level"]) == ("the event loop does not turn", "error")
    where = told["where"]
    assert isinstance(where, list)
    assert where[-1].endswith("a_job_with_a_secret")
    assert "tests/standins/blocked_loop.py" in where[-1]
    assert "hunter" not in json.dumps(told)
    assert again["level"] == "info"


async def _names(process: Process) -> list[object]:
    return [line["event"] for line in process.log()]


async def test_a_process_that_was_stopped_and_goes_on_is_no_stall(tmp_path: Path) -> None:
    async with process(tmp_path) as stopped:
        stopped.signal(signal.SIGSTOP)
        began = time.monotonic()
        while time.monotonic() - began < 5:  # longer than a stall takes to be told
            await asyncio.sleep(0.5)
        stopped.signal(signal.SIGCONT)
        for _ in range(3):
            assert await stopped.ask("how are you") == "stalls 0"
            await asyncio.sleep(1)
    assert stopped.log() == []


async def test_systemd_hears_that_it_is_ready_and_alive_and_nothing_while_the_loop_is_blocked(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service:
        service.bind(str(tmp_path / "notify"))
        service.setblocking(False)
        loop = asyncio.get_running_loop()

        async def heard() -> bytes:
            async with asyncio.timeout(PATIENCE_S):
                return await loop.sock_recv(service, 100)

        async with process(tmp_path, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1500000") as running:
            first = [await heard() for _ in range(4)]
            assert sorted(set(first)) == [b"READY=1", b"WATCHDOG=1"]
            blocked = asyncio.create_task(running.ask("block"))
            await asyncio.sleep(1)
            while await _waits(service):
                await heard()
            began = time.monotonic()
            assert await heard() == b"WATCHDOG=1"
            assert time.monotonic() - began > 1.5, "systemd would have ended it by then"
            assert await blocked == "stalls 1"
        said = b""
        while said != b"STOPPING=1":
            said = await heard()


async def _waits(service: socket.socket) -> bool:
    try:
        return bool(service.recv(100, socket.MSG_PEEK))
    except BlockingIOError:
        return False


async def test_the_daemon_tells_systemd_and_its_own_processes_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service:
        service.bind(f"\0exowatch-{os.getpid()}")
        service.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@exowatch-{os.getpid()}")
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        async with running_daemon(quick_config(tmp_path), "run", "--workers", "2"):
            assert {await asyncio.to_thread(service.recv, 100) for _ in range(2)} == {b"READY=1", b"WATCHDOG=1"}
        assert await asyncio.to_thread(service.recv, 100) == b"STOPPING=1"
        service.setblocking(False)
        assert not await _waits(service)


def test_what_is_meant_for_another_process_is_left_alone() -> None:
    environment = {"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "x", "WATCHDOG_PID": "1", "OTHER": "1"}
    silent = Systemd.of(environment)
    assert environment == {"OTHER": "1"}
    silent.ready()
    silent.alive()


class Hanging:
    """A reader of posts that never comes back, until it is let go."""

    batch = 1
    version = "hanging"

    def __init__(self) -> None:
        self.free = asyncio.Event()

    async def weigh(self, posts: Sequence[Given]) -> list[Weighed | Exception]:
        await self.free.wait()
        return [ValueError("no judgement") for _ in posts]

    async def close(self) -> None:
        pass


async def test_a_worker_that_hangs_on_an_entry_makes_the_process_unready(database: Database, redis_url: str) -> None:
    stream = await Stream.open(redis_url)
    settings, stop, hanging = Settings(classifier={"timeout": "1s"}), asyncio.Event(), Hanging()
    readiness = Readiness(settings, stream, database)
    worker = Worker("w", stream, database, hanging, settings, stalled_after_s=1.0)
    counted = telemetry.stalled_jobs.labels("work 0")
    before = counted._value.get()
    with structlog.testing.capture_logs() as logs:
        async with watchdog.watched():
            working = asyncio.create_task(worker.run(stop))
            post = Post(platform="forum", id="1", text="Exosomes heal.")
            await asyncio.sleep(3)  # with nothing to do it is not late
            assert await readiness.troubles() == []
            await stream.publish([Item(key=post.version, data=encode(post))])
            (trouble,) = await until(readiness.troubles, bool)
            assert (trouble.part, trouble.failing) == ("work 0", True)
            await until(lambda: _value(counted), lambda value: value == before + 1)
            hanging.free.set()
            assert await until(readiness.troubles, lambda found: not found) == []
            stop.set()
            await working
    assert [line["event"] for line in logs if line.get("job") == "work 0"] == ["job makes no progress", "job goes on"]
    assert watchdog.late() == []
    await stream.close()


async def _value(counter: object) -> float:
    return float(counter._value.get())  # type: ignore[attr-defined]


async def test_the_daemon_says_what_is_wrong_with_its_topic_pack_and_goes_on(tmp_path: Path) -> None:
    config = quick_config(tmp_path)
    async with running_daemon(config) as daemon:
        assert await daemon.raw("/readyz") == (200, "ready")
        overview = tmp_path / "topics" / "exosomes" / "topic.yaml"
        good = overview.read_text()
        overview.write_text("name: [")
        status, told = await until(lambda: daemon.raw("/readyz"), lambda answer: "topic pack" in answer[1])
        assert status == 200, "posts are still judged, by the pack before it"
        assert "topic.yaml" in told
        overview.write_text(good)
        await until(lambda: daemon.raw("/readyz"), lambda answer: answer == (200, "ready"))


@pytest.mark.parametrize(
    ("free", "total", "failing"),
    [
        (FULL_BYTES - 1, 500 * GB, True),
        (FULL_BYTES, 500 * GB, False),
        (LOW_BYTES - 1, 500 * GB, False),
        (LOW_BYTES, 500 * GB, None),
        (LOW_BYTES - 1, 2 * GB, None),
    ],
)
def test_a_disk_that_is_nearly_full_is_told_and_one_that_is_full_fails(free: int, total: int, failing: bool | None) -> None:
    found = of_disk(free, total)
    assert (None if found is None else found.failing) is failing
