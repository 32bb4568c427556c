"""The daemon as users run it: a process of its own, started, asked over HTTP, stopped or killed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any

import aiohttp

from tests.launcher import ROOT, Launched, launch

__all__ = ["PATIENCE_S", "ROOT", "DaemonProcess", "files", "run_command", "running_daemon", "until", "written"]

PATIENCE_S = 120.0  # for what takes a second on a machine with nothing else to do


class DaemonProcess:
    """One `exowatch run`, or another command that stays. `address` is that of its API, where it serves one."""

    def __init__(self, config: Path, *words: str) -> None:
        self.config = config
        self.words = words or ("run",)
        self.address = ""
        self._process: Launched | None = None
        self._said: asyncio.ReadTransport | None = None
        self._log = config.with_suffix(f".{'-'.join(self.words)}.log")

    async def start(self) -> None:
        """Starts it and waits until it says that it is ready."""
        reading, writing = os.pipe()
        with self._log.open("ab") as log, Path(os.devnull).open() as nothing, os.fdopen(writing) as stdout:
            words = (*self.words, "--config", str(self.config))
            self._process = launch(words, nothing.fileno(), stdout.fileno(), log.fileno())
        said = asyncio.StreamReader()
        self._said, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(said), os.fdopen(reading, "rb")
        )
        async with asyncio.timeout(PATIENCE_S):
            line = (await said.readline()).decode()
        assert "is ready" in line, f"the daemon did not get ready: {line!r}\n{self.log()}"
        found = re.search(r"http://\S+", line)
        self.address = found[0] if found else ""

    async def stop(self) -> int:
        """SIGTERM, as an operator does; its exit status."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            return await self._ended()

    async def kill(self) -> None:
        """SIGKILL, as a crash does."""
        assert self._process
        self._process.kill()
        await self._ended()

    async def _ended(self) -> int:
        assert self._process
        status = await self._process.wait()
        if self._said is not None:
            self._said.close()
        return status

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text() if self._log.exists() else ""

    async def get(self, path: str) -> Any:
        """A JSON answer of its API."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.address}/api/v1{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def raw(self, path: str) -> tuple[int, str]:
        """Status and text of any answer."""
        async with aiohttp.ClientSession() as session, session.get(self.address + path) as answer:
            return answer.status, (await answer.text()).strip()

    async def post(self, path: str, value: Any) -> Any:
        """A JSON answer of its API to something that is posted."""
        async with aiohttp.ClientSession() as session, session.post(f"{self.address}/api/v1{path}", json=value) as answer:
            assert answer.status == 202, await answer.text()
            return await answer.json()

    async def until(self, path: str, holds: Callable[[Any], bool]) -> Any:
        """The first answer that holds."""
        return await until(lambda: self.get(path), holds)

    async def command(self, *words: str) -> tuple[int, str, str]:
        """A command of the same configuration: exit status, stdout, stderr."""
        return await run_command("--config", str(self.config), *words)


async def run_command(*words: str, stdin: str = "", **environment: str) -> tuple[int, str, str]:
    """`exowatch words…`: exit status, stdout, stderr."""
    with files(stdin) as (given, out, err):
        process = launch(words, given.fileno(), out.fileno(), err.fileno(), {**os.environ, **environment})
        async with asyncio.timeout(PATIENCE_S):
            status = await process.wait()
        return status, written(out), written(err)


@contextmanager
def files(stdin: str) -> Iterator[tuple[IO[bytes], IO[bytes], IO[bytes]]]:
    """What a command reads, and where its stdout and stderr go."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        yield given, out, err


def written(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


async def until(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> Any:
    """Asks again and again until the answer holds, and less often the longer it takes: what is waited for needs the processor."""
    answer: Any = None
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not holds(answer := await ask()):
                await asyncio.sleep(min(0.5, 0.05 + (loop.time() - began) / 10))
    except TimeoutError:
        raise AssertionError(f"never came true; the last answer was {json.dumps(answer, indent=1, default=str)[:3000]}") from None
    return answer


@asynccontextmanager
async def running_daemon(config: Path, *words: str) -> AsyncIterator[DaemonProcess]:
    """A daemon that is stopped at the end, whatever happened, together with the redis-server that it started."""
    daemon = DaemonProcess(config, *words)
    try:
        await daemon.start()
        yield daemon
    finally:
        if daemon.running:
            await daemon.stop()
