"""Several real redis-servers that belong together: a primary with its replica and sentinels, and a cluster."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from redis.crc import key_slot

from tests.scratch import short_folder

HOST = "127.0.0.1"
WITHIN_S = 60.0
SLOTS = 16_384


class TcpServer:
    """One redis-server on a port of its own, with everything of it in a folder that goes with it."""

    def __init__(self, binary: Path, *options: str, config: str | None = None) -> None:
        self.port = free_port()
        self.folder = short_folder("redis-test-")
        self._log = (self.folder / "redis.log").open("ab")
        words = [str(binary)]
        if config is not None:
            (self.folder / "redis.conf").write_text(config)
            words.append(str(self.folder / "redis.conf"))
        fixed = ("--port", str(self.port), "--bind", HOST, "--dir", str(self.folder), "--save", "")
        self._process = subprocess.Popen([*words, *fixed, *options], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        try:
            eventually(lambda: self.ask("PING").startswith((b"+PONG", b"-NOAUTH")), self.said)
        except BaseException:
            self.remove()
            raise

    @property
    def where(self) -> str:
        return f"{HOST}:{self.port}"

    def said(self) -> str:
        return (self.folder / "redis.log").read_text()

    def ask(self, *command: str | int) -> bytes:
        """The server's raw answer to one command; nothing where it is away."""
        parts = [str(part).encode() for part in command]
        request = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        try:
            with socket.create_connection((HOST, self.port), timeout=10) as connection:
                connection.sendall(request)
                return connection.recv(1_000_000)
        except OSError:
            return b""

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stall(self) -> None:
        """Accepts and answers nothing until `resume`."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def remove(self) -> None:
        self.kill()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Cluster:
    """Three primaries with the slots among them, and as many replicas as are asked for."""

    def __init__(self, binary: Path, replicas: int = 0) -> None:
        options = (
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "1500",
            "--appendonly",
            "yes",
            "--repl-diskless-sync-delay",
            "0",
        )
        self.nodes: list[TcpServer] = []
        try:
            for _ in range(3 + replicas):
                self.nodes.append(TcpServer(binary, *options))
            self._join(replicas)
        except BaseException:
            self.remove()
            raise

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(node.where for node in self.nodes[:2])

    def ask(self, *command: str | int) -> bytes:
        """The raw answer of the node that has the command's key."""
        return self.node_of(str(command[1])).ask(*command)

    def number(self, *command: str | int) -> int:
        answer = self.ask(*command)
        assert answer.startswith(b":"), answer
        return int(answer[1:])

    def node_of(self, key: str) -> TcpServer:
        """The primary that has a key at the start."""
        return self.nodes[key_slot(key.encode()) * 3 // SLOTS]

    def empty(self) -> None:
        for node in self.nodes[:3]:
            assert node.ask("FLUSHALL") == b"+OK\r\n"

    def remove(self) -> None:
        for node in self.nodes:
            node.remove()

    def _join(self, replicas: int) -> None:
        first = self.nodes[0]
        for number, node in enumerate(self.nodes):
            assert node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1) == b"+OK\r\n"
            if number < 3:
                own = [slot for slot in range(SLOTS) if slot * 3 // SLOTS == number]
                assert node.ask("CLUSTER", "ADDSLOTS", *own) == b"+OK\r\n"
            if node is not first:
                assert node.ask("CLUSTER", "MEET", HOST, first.port) == b"+OK\r\n"
        ids = [node.ask("CLUSTER", "MYID").split(b"\r\n")[1].decode() for node in self.nodes]
        for number in range(replicas):
            replica = self.nodes[3 + number]
            eventually(lambda node=replica, of=ids[number]: node.ask("CLUSTER", "REPLICATE", of) == b"+OK\r\n", replica.said)
        for node in self.nodes:
            eventually(lambda node=node: self._agrees(node), node.said)
        for number in range(replicas):
            replica = self.nodes[3 + number]
            eventually(lambda node=replica: b"master_link_status:up" in node.ask("INFO", "replication"), replica.said)

    def _agrees(self, node: TcpServer) -> bool:
        known = node.ask("CLUSTER", "NODES")
        whole = b"cluster_state:ok" in node.ask("CLUSTER", "INFO") and b"handshake" not in known
        return whole and known.count(b" connected") == len(self.nodes) and known.count(b"slave") == len(self.nodes) - 3


class Watched:
    """A primary, its replica, and three sentinels that know of each other. `service` is what they call them."""

    service = "posts"

    def __init__(self, binary: Path, *, password: str = "", sentinel_password: str = "") -> None:
        self._of_sentinels = sentinel_password
        secret = ("--requirepass", password, "--masterauth", password) if password else ()
        self.servers: list[TcpServer] = []
        self.sentinels: list[TcpServer] = []
        self._password = password
        try:
            for number in range(2):
                of = ("--replicaof", HOST, str(self.servers[0].port)) if number else ()
                self.servers.append(TcpServer(binary, "--repl-diskless-sync-delay", "0", *secret, *of))
            eventually(
                lambda: b"master_link_status:up" in self._tell(self.servers[1], "INFO", "replication"), self.servers[1].said
            )
            for _ in range(3):
                self.sentinels.append(self._sentinel(binary))
            for sentinel in self.sentinels:
                eventually(lambda one=sentinel: self._knows_all(one), sentinel.said)
        except BaseException:
            self.remove()
            raise

    @property
    def url(self) -> str:
        login = f":{self._password}@" if self._password else ""
        options = f"?sentinel_password={self._of_sentinels}" if self._of_sentinels else ""
        return f"redis+sentinel://{login}{','.join(one.where for one in self.sentinels)}/{self.service}/0{options}"

    def remove(self) -> None:
        for one in (*self.sentinels, *self.servers):
            one.remove()

    def _sentinel(self, binary: Path) -> TcpServer:
        lines = [
            f"sentinel monitor {self.service} {HOST} {self.servers[0].port} 2",
            f"sentinel down-after-milliseconds {self.service} 1000",
            f"sentinel failover-timeout {self.service} 3000",
        ]
        if self._password:
            lines.append(f"sentinel auth-pass {self.service} {self._password}")
        if self._of_sentinels:
            lines += [f"requirepass {self._of_sentinels}", f"sentinel sentinel-pass {self._of_sentinels}"]
        return TcpServer(binary, "--sentinel", config="\n".join(lines) + "\n")

    def _knows_all(self, sentinel: TcpServer) -> bool:
        if self._of_sentinels:
            told = with_password(sentinel, self._of_sentinels, "SENTINEL", "MASTER", self.service)
        else:
            told = sentinel.ask("SENTINEL", "MASTER", self.service)
        words = [word for word in told.decode().split("\r\n") if word and word[0] not in "$*"]
        facts = dict(zip(words[::2], words[1::2], strict=False))
        return (facts.get("num-slaves"), facts.get("num-other-sentinels")) == ("1", "2")

    def _tell(self, server: TcpServer, *command: str) -> bytes:
        return with_password(server, self._password, *command) if self._password else server.ask(*command)


def with_password(server: TcpServer, password: str, *command: str) -> bytes:
    """A server's raw answer to one command of somebody who knows its password."""
    with socket.create_connection((HOST, server.port), timeout=10) as connection:
        connection.sendall(f"AUTH {password}\r\n".encode())
        assert connection.recv(100).startswith(b"+OK")
        connection.sendall((" ".join(command) + "\r\n").encode())
        return connection.recv(1_000_000)


def free_port() -> int:
    """A port that is free now, and another ten thousand above it for the nodes of a cluster to speak by."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind((HOST, 0))
            port: int = one.getsockname()[1]
            if port + 10_000 >= 65_536:
                port -= 20_000
                if port < 1_024:
                    continue
                try:
                    socket.create_server((HOST, port)).close()
                except OSError:
                    continue
            try:
                other.bind((HOST, port + 10_000))
            except OSError:
                continue
            return port


def eventually(holds: Callable[[], bool], said: Callable[[], str]) -> None:
    """Returns once it holds; fails with what the server said."""
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, said()
        time.sleep(0.02)
