"""Starts `exowatch` as a process of its own in a fraction of the time: a child of a Python that has all of it loaded already.

Loading modules is most of what a start costs, and the tests start hundreds of processes. They share that alone, what is loaded
and has done nothing yet. The process is as real: it has its own id, environment and descriptors, is stopped and killed like any,
and nothing of it outlives it. Tests that are about the start itself call `python -m monitor`.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from monitor.settings.model import SHIPPED
from monitor.topic import load_topic
from tests.scratch import short_folder

ROOT = Path(__file__).resolve().parents[1]
MESSAGE = 200_000  # bytes at most

# What every role loads at once, and what some load later. None of it starts a thread when it is loaded, as onnxruntime does:
# threads do not survive a fork.
LOADED = ("monitor.cli.run", "aiosqlite", "asyncpraw", "feedparser", "rich.progress", "standardwebhooks", "zstandard")


class Launched:
    """A process that was started. `returncode` is None until its end was waited for; minus the signal where one ended it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = int(connection.recv(64))
        self.returncode: int | None = None

    async def wait(self) -> int:
        if self.returncode is None:
            self._connection.setblocking(False)
            self._ended(await asyncio.get_running_loop().sock_recv(self._connection, 64))
        assert self.returncode is not None
        return self.returncode

    def wait_here(self, within_s: float) -> int:
        """As `wait`, where no loop runs. Raises TimeoutError."""
        self._connection.settimeout(within_s)
        self._ended(self._connection.recv(64))
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, told: bytes) -> None:
        self.returncode = int(told)
        self._connection.close()


def launch(
    words: tuple[str, ...], stdin: int, stdout: int, stderr: int, environment: Mapping[str, str] | None = None
) -> Launched:
    """`exowatch words…` in the checkout, with these descriptors, and with the environment of this process or another one."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(_launcher())
    wanted = json.dumps([words, dict(os.environ if environment is None else environment)]).encode()
    assert len(wanted) < MESSAGE
    socket.send_fds(connection, [wanted], [stdin, stdout, stderr])
    return Launched(connection)


@cache
def _launcher() -> str:
    """The socket of this test process's launcher, which ends with it."""
    folder = short_folder("exowatch-launcher-")
    path = f"{folder}/socket"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.launcher", path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(process.wait)
    atexit.register(process.stdin.close)
    return path


def main(path: str) -> None:
    """Starts what is asked for until standard input is closed. Comes back as each of the processes that it starts, too."""
    for name in LOADED:
        importlib.import_module(name)
    load_topic(SHIPPED / "topics" / "exosomes")  # each of its words is folded once, and then known
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for the processes
    print("ready", flush=True)
    while True:
        if 0 in select.select([listener.fileno(), 0], [], [])[0]:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _start(connection)
            return
        connection.close()


def _start(connection: socket.socket) -> None:
    """Starts one process, tells its id and, in the end, how it ended; in the process itself, does what was asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    wanted, descriptors, _, _ = socket.recv_fds(connection, MESSAGE, 3)
    pid = os.fork()
    if pid:
        for descriptor in (0, 1, *descriptors):  # who reads from the process sees its end
            os.close(descriptor)
        connection.send(b"%d" % pid)
        connection.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os._exit(0)
    connection.close()
    for place, descriptor in enumerate(descriptors):
        os.dup2(descriptor, place)
        os.close(descriptor)
    words, environment = json.loads(wanted)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = words
    runpy.run_module("monitor", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
