"""Real redis-servers for tests: each on a unix socket in a short folder of its own, and gone with everything of it afterwards."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.embedded.binary import candidates
from tests.scratch import short_folder

BINARIES = [binary for binary in candidates() if binary.exists()]


def ask(where: Path, *command: str | int) -> bytes:
    """The raw answer to one command of the redis-server that listens on this socket. Raises OSError where none does."""
    parts = [str(part).encode() for part in command]
    request = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(where))
        connection.sendall(request)
        return connection.recv(65_536)


class RedisServer:
    """One redis-server, which may be killed, stalled and started again; its append-only file keeps its data meanwhile."""

    def __init__(self, binary: Path) -> None:
        self.folder = short_folder("redis-test-")
        self.socket = self.folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, until: bytes = b"+PONG") -> None:
        """Returns when it answers a PING so. `options` are added to the command line."""
        fixed = ("--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", "", "--appendonly", "yes")
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, *fixed, "--appendfsync", "always", *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while not self._answers(until):
            gone = self._process.poll() is not None or time.monotonic() > deadline
            assert not gone, (self.folder / "redis.log").read_text()
            time.sleep(0.005)

    def ask(self, *command: str | int) -> bytes:
        """The server's raw answer to one command, for looking behind the program's back."""
        return ask(self.socket, *command)

    def number(self, *command: str | int) -> int:
        """The server's answer where it is a number."""
        answer = self.ask(*command)
        assert answer.startswith(b":"), answer
        return int(answer[1:])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stall(self) -> None:
        """The server accepts and answers nothing until `resume`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self, words: bytes) -> bool:
        try:
            return self.ask("PING").startswith(words)
        except OSError:
            return False


def _version(binary: Path) -> str:
    words = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()
    return next(word[2:] for word in words if word.startswith("v="))


def every_redis() -> list[object]:
    """Parameters for `@pytest.mark.parametrize("redis_server", every_redis(), indirect=True)`: one for each version here."""
    versions = {_version(binary): binary for binary in reversed(BINARIES)}
    return [pytest.param(binary, id=f"redis-{version}") for version, binary in sorted(versions.items())]


@pytest.fixture
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A redis-server that is up: the one that exowatch itself would choose, or the one of the parameter."""
    if not BINARIES:
        pytest.skip("there is no redis-server on PATH and none from the wheel")
    server = RedisServer(getattr(request, "param", BINARIES[0]))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of an empty redis-server."""
    return redis_server.url
