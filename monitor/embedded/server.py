"""Starts, takes over, watches and stops the embedded server."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog
from redis import exceptions as redis_errors
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from monitor.datadir import DataDirError, DataDirLock, private_folder
from monitor.embedded.binary import NoRedisServerError, candidates, choose
from monitor.embedded.places import (
    EmbeddedRedisError,
    State,
    forget_state,
    is_redis_on,
    new_socket,
    read_state,
    remove_socket_folder,
    url_of,
    why_it_ended,
    write_state,
)

log = structlog.get_logger()

_START_WITHIN_S = 15.0
_HEALTHY_AFTER_S = 60.0
_WORTH_TELLING_S = 1.0  # a server that loads nothing much may be seen at it too, for a moment


class EmbeddedRedis:
    """`async with EmbeddedRedis(data_dir) as server:` and use `server.url`; run `server.watch()` as a task beside it.

    Takes the folder's DataDirLock unless given one that the caller holds.
    """

    def __init__(
        self, data_dir: Path, *, lock: DataDirLock | None = None, answer_within_s: float = 5.0, stop_within_s: float = 10.0
    ) -> None:
        self._folder = data_dir.absolute() / "redis"
        self._own_lock = DataDirLock(data_dir) if lock is None else None
        self._answer_within_s = answer_within_s
        self._stop_within_s = stop_within_s
        self._process: subprocess.Popen[bytes] | None = None  # None for a server that was taken over
        self._pid = 0
        self._socket = Path()
        self._stopping = False
        self._changing = asyncio.Lock()

    @property
    def url(self) -> str:
        """The server's address. It stays the same when the server is started again."""
        return url_of(self._socket)

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._pid

    async def start(self) -> None:
        """Starts a server, or takes over the one that an earlier daemon left; returns when it answers and its data is loaded.

        Raises AlreadyRunning, DataDirError, EmbeddedRedisError.
        """
        if self._own_lock:
            self._own_lock.acquire()
        try:
            private_folder(self._folder)
            if not await self._take_over():
                self._socket = new_socket()
                await self._launch()
        except BaseException:
            await self._kill()
            self._forget()
            raise

    async def stop(self) -> None:
        """Shuts the server down with its file flushed, or kills it after 10 s. Safe to call twice."""
        self._stopping = True
        async with self._changing:
            deadline = time.monotonic() + self._stop_within_s
            while self._lives() and time.monotonic() < deadline:
                # Refused while its first file is being written, and then asked again. The server answers by going away.
                with contextlib.suppress(redis_errors.RedisError, OSError):
                    await _ask(self._socket, "SHUTDOWN", within_s=max(0.1, deadline - time.monotonic()))
                await asyncio.sleep(0.02)
            await self._kill()
            self._forget()

    async def watch(self) -> None:
        """Starts the server again whenever it dies by itself; runs until `stop`."""
        pause, started = 0.0, time.monotonic()
        while not self._stopping:
            if self._lives():
                await asyncio.sleep(0.2)
                continue
            pause = 0.0 if time.monotonic() - started > _HEALTHY_AFTER_S else min(max(pause * 2, 0.1), 10.0)
            async with self._changing:
                if self._stopping:
                    return
                started = time.monotonic()
                try:
                    await self._launch()
                    log.error("the embedded redis-server died and was started again", pid=self._pid, log=str(self._log_file))
                except (EmbeddedRedisError, DataDirError) as error:
                    await self._kill()
                    log.error("the embedded redis-server died and does not start again", error=str(error))
            await asyncio.sleep(pause)

    async def __aenter__(self) -> EmbeddedRedis:
        await self.start()
        return self

    async def __aexit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        await self.stop()

    @property
    def _log_file(self) -> Path:
        return self._folder / "redis.log"

    async def _take_over(self) -> bool:
        """Whether a server of an earlier daemon goes on serving. One that does not answer in time is killed."""
        state = read_state(self._folder)
        deadline = time.monotonic() + self._answer_within_s
        while state is not None and self._server_lock_held():
            self._socket = Path(state.socket)
            try:
                if pid := await self._our_server_at(self._socket):
                    self._pid = pid
                    if pid != state.pid:
                        write_state(self._folder, State(pid, state.socket))
                    log.info("the redis-server of an earlier run was taken over", pid=pid)
                    return True
            except redis_errors.BusyLoadingError:
                deadline = time.monotonic() + self._answer_within_s
            if time.monotonic() > deadline:
                await self._put_down(state.pid)
                break
            await asyncio.sleep(0.05)
        if state is not None:
            remove_socket_folder(Path(state.socket))
        return False

    async def _our_server_at(self, socket: Path) -> int:
        """The pid of the server that listens there and works on our folder; 0 for none. Raises BusyLoadingError."""
        try:
            folder = (await _ask(socket, "CONFIG GET", "dir", within_s=min(2.0, self._answer_within_s)))["dir"]
            if self._is_ours(folder):
                return int((await _ask(socket, "INFO", "server", within_s=min(2.0, self._answer_within_s)))["process_id"])
        except redis_errors.BusyLoadingError:
            raise
        except (redis_errors.RedisError, OSError, KeyError, ValueError):
            pass
        return 0

    def _is_ours(self, folder: str) -> bool:
        return Path(folder).samefile(self._folder)

    async def _put_down(self, pid: int) -> None:
        """Ends a server that holds our folder and does not answer. Raises EmbeddedRedisError where that cannot be done safely."""
        if pid and is_redis_on(pid, self._folder, self._socket):
            log.warning("the redis-server of an earlier run does not answer and is killed", pid=pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not await self._lock_comes_free():
            raise EmbeddedRedisError(
                f"a redis-server (pid {pid or 'unknown'}) uses {self._folder} and does not answer; stop it, then start again"
            )

    async def _launch(self) -> None:
        """Starts a server at `self._socket` and waits until it has loaded its data. Raises EmbeddedRedisError, DataDirError."""
        try:
            binary = choose(await asyncio.to_thread(candidates), self._folder)
        except NoRedisServerError as error:
            raise EmbeddedRedisError(str(error)) from None
        if not await self._lock_comes_free():
            raise EmbeddedRedisError(f"a redis-server still uses {self._folder}; stop it, then start again")
        try:
            self._socket.parent.mkdir(mode=0o700, exist_ok=True)  # a cleaner of temporary folders may have been there
            write_state(self._folder, State(0, str(self._socket)))
            before = self._log_file.stat().st_size if self._log_file.exists() else 0
            self._process = self._spawn(binary)
            self._pid = self._process.pid
            write_state(self._folder, State(self._pid, str(self._socket)))
        except OSError as error:
            raise DataDirError(f"{self._folder} cannot be written: {error.strerror}") from None
        await self._wait_until_ready(self._process, before)

    def _spawn(self, binary: Path) -> subprocess.Popen[bytes]:
        log_to = os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        lock = os.open(self._server_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return subprocess.Popen(  # noqa: S603 - a server of this machine, with options of ours
                [binary, *_options(self._folder, self._socket)],
                stdin=subprocess.DEVNULL,
                stdout=log_to,
                stderr=log_to,
                cwd=self._folder,
                umask=0o077,
                pass_fds=(lock,),  # held as long as the server lives
                start_new_session=True,  # Ctrl-C at the terminal is for the daemon, which then stops the server
            )
        finally:
            os.close(lock)
            os.close(log_to)

    async def _wait_until_ready(self, process: subprocess.Popen[bytes], log_before: int) -> None:
        began, told = time.monotonic(), False
        deadline = began + _START_WITHIN_S
        while process.poll() is None:
            if self._stopping:
                return
            try:
                await _ask(self._socket, "PING", within_s=2.0)
                return
            except redis_errors.BusyLoadingError:
                deadline = time.monotonic() + _START_WITHIN_S
                if not told and time.monotonic() - began > _WORTH_TELLING_S:
                    told = True
                    log.info("the embedded redis-server loads its data")
            except (redis_errors.RedisError, OSError):
                if time.monotonic() > deadline:
                    raise EmbeddedRedisError(
                        f"the embedded redis-server does not answer within {_START_WITHIN_S:g} s; see {self._log_file}"
                    ) from None
            await asyncio.sleep(0.02)
        raise EmbeddedRedisError(why_it_ended(self._log_file, log_before, self._folder))

    def _lives(self) -> bool:
        return self._process.poll() is None if self._process else self._server_lock_held()

    async def _kill(self) -> None:
        if self._process:
            if self._process.poll() is None:
                self._process.kill()
            await asyncio.to_thread(self._process.wait)
        elif self._pid and self._lives() and is_redis_on(self._pid, self._folder, self._socket):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            await self._lock_comes_free()

    def _forget(self) -> None:
        """Leaves nothing of a server that has ended."""
        if self._socket.name and not self._lives():
            remove_socket_folder(self._socket)
            forget_state(self._folder)
        if self._own_lock:
            self._own_lock.release()

    @property
    def _server_lock(self) -> Path:
        return self._folder / "server.lock"

    def _server_lock_held(self) -> bool:
        try:
            file = os.open(self._server_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirError(f"{self._server_lock} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    async def _lock_comes_free(self) -> bool:
        """Waits for the server's end; a child of it that rewrites the file may take a moment longer."""
        deadline = time.monotonic() + self._answer_within_s
        while self._server_lock_held():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True


def _options(folder: Path, socket: Path) -> list[str]:
    options = {
        "--port": "0",
        "--unixsocket": str(socket),
        "--unixsocketperm": "700",
        "--dir": str(folder),
        "--daemonize": "no",
        "--save": "",
        "--appendonly": "yes",
        "--appendfsync": "always",  # what was accepted stays after a power cut too; batching makes it cheap
        "--maxmemory": "1gb",  # producers wait well before it; see monitor.stream.keys
        "--maxmemory-policy": "noeviction",
    }
    return [part for option in options.items() for part in option]


async def _ask(socket: Path, *command: str, within_s: float) -> Any:
    client: Any = Redis(
        unix_socket_path=str(socket),
        socket_timeout=within_s,
        socket_connect_timeout=within_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        decode_responses=True,
    )
    try:
        return await client.execute_command(*command)
    finally:
        await client.aclose()
