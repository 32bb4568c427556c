"""Processes of the campaign: started, killed, started again, and none of them left behind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.launcher import ROOT

RESTART_S = 0.3  # as a supervisor waits before it starts a process again
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """In the child, before it becomes the program: it is killed when the campaign is, whatever ends that."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(one.name) for one in Path("/proc").glob("[0-9]*")]


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


class Program:
    """One process and those that it starts, which are a group of their own. What it says goes to a log file."""

    talks = False  # whether its output is read, and not logged

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.command = list(command)
        self.environment: dict[str, str] = dict(environment or {})
        self.log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts it and does not wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if self.talks else log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, **self.environment},
                start_new_session=True,
                restore_signals=False,  # a file that may not grow is then an error of the write, and not the end of the process
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def helpers(self) -> list[int]:
        """The processes that it has started and that still run, but for those that made a session of their own."""
        if not self.running:
            return []
        return [pid for pid in _processes() if pid != self.pid and _group(pid) == self.pid]

    async def kill(self) -> None:
        """SIGKILL to all of its group, and its end."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def ended(self) -> int:
        assert self._process is not None
        return await self._process.wait()


class Helper(Program):
    """A process of the campaign's own that says a port, and then takes orders."""

    talks = True
    port = 0

    async def start(self) -> None:
        await super().start()
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, f"{self.name} did not start: {self.log.read_text()[-2000:]}"
        self.port = int(line)

    def say(self, order: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n".encode())


class Kept(Program):
    """A process that is started again whenever it ends, as a supervisor does."""

    restarts = -1
    _keeper: asyncio.Task[None] | None = None

    def keep(self) -> None:
        """Starts it, and again after each end, until `drop`."""
        self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            await self.start()
            self.restarts += 1
            await self.ended()
            await asyncio.sleep(RESTART_S)

    async def strike(self) -> bool:
        """SIGKILL, if it runs; it is started again at once."""
        if not self.running:
            return False
        await self.kill()
        return True

    async def drop(self) -> None:
        """Ends it for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self.kill()


def exowatch(role: str, config: Path) -> list[str]:
    """The command of one role."""
    return [sys.executable, "-m", "monitor", role, "--config", str(config)]


def helper(module: str, *words: object) -> list[str]:
    """The command of one of the campaign's own processes."""
    return [sys.executable, "-m", f"tests.campaign.{module}", *map(str, words)]
