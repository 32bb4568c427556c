"""The roles as processes of their own, on servers of their own: what one process does in `run`, many do together."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.daemon_process import PATIENCE_S, DaemonProcess, files, run_command, running_daemon, written
from tests.launcher import launch
from tests.quick_pack import rules_alone
from tests.receiver import SECRET, Receiver
from tests.standins.feed_server import FeedEntry, FeedServer

POSTS = 2_000
CLAIMS = ("raise collagen by 300%", "are FDA approved", "cure arthritis", "treat autism", "have no side effects")


def write_config(folder: Path, redis_url: str, store_url: str, hook: str, feed: str | None = None) -> Path:
    rules_alone(folder)
    config = folder / "monitor.toml"
    source = f'[[source]]\nname = "blog"\nkind = "feed"\nurl = "{feed}"\ninterval = "2s"\n' if feed else ""
    config.write_text(
        f'data_dir = "data"\n[redis]\nurl = "{redis_url}"\n[store]\nurl = "{store_url}"\n[api]\nport = 0\n'
        f'[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "{hook}"\nsecret = "{SECRET}"\n'
        f'events = ["claim.new"]\nallow_private = true\n{source}'
    )
    return config


def write_posts(file: Path) -> None:
    posts = ({"platform": "forum", "id": str(n), "text": f"Exosomes {CLAIMS[n % len(CLAIMS)]}."} for n in range(POSTS))
    file.write_text("\n".join(map(json.dumps, posts)))


async def total(server: DaemonProcess) -> int:
    return sum(claim["mentions"] for claim in (await server.get("/claims?limit=500"))["items"])


async def test_a_post_goes_through_four_processes(tmp_path: Path, redis_url: str, store_url: str) -> None:
    async with FeedServer() as feed, Receiver() as receiver, AsyncExitStack() as processes:
        config = write_config(tmp_path, redis_url, store_url, receiver.url, feed.url)
        feed.entries.append(FeedEntry(title="News", body="Our exosomes are FDA approved.", id="1"))
        started = [
            await processes.enter_async_context(running_daemon(config, role)) for role in ("serve", "deliver", "work", "collect")
        ]
        (got,) = await receiver.got(1)
        assert got.event["type"] == "claim.new"
        (mention,) = (await started[0].until("/mentions", lambda page: bool(page["items"])))["items"]
        assert mention["platform_id"] == "127.0.0.1#1"


async def test_a_rolling_restart_of_workers_and_senders_loses_nothing(tmp_path: Path, redis_url: str, store_url: str) -> None:
    posts = tmp_path / "posts.jsonl"
    write_posts(posts)
    async with Receiver() as receiver, AsyncExitStack() as processes:
        config = write_config(tmp_path, redis_url, store_url, receiver.url)
        server = await processes.enter_async_context(running_daemon(config, "serve"))
        rolling = [DaemonProcess(config, role) for role in ("work", "work", "deliver")]
        for process in rolling:
            await process.start()
            processes.push_async_callback(_stop, process)
        replaying = asyncio.create_task(run_command("--config", str(config), "replay", str(posts)))
        for process in rolling:
            await server.until("/mentions?limit=1", lambda page: bool(page["items"]))
            assert await process.stop() == 0
            await process.start()
        status, out, _ = await replaying
        assert (status, out) == (0, f"accepted {POSTS}, duplicates 0, unmatched 0\n")
        claims = await server.until("/claims?limit=500", lambda page: _mentions(page) >= POSTS)
        assert _mentions(claims) == POSTS
        alerts = (await server.get("/alerts?limit=500"))["items"]
        assert sorted(alert["claim_id"] for alert in alerts) == sorted(claim["id"] for claim in claims["items"])
        await server.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)
        assert len({got.id for got in receiver.kept}) == len(receiver.kept) == len(CLAIMS)


async def test_worker_processes_share_the_work_of_the_daemon_and_end_with_it(tmp_path: Path) -> None:
    posts = tmp_path / "posts.jsonl"
    write_posts(posts)
    rules_alone(tmp_path)
    config = tmp_path / "monitor.toml"
    config.write_text('data_dir = "data"\n[api]\nport = 0\n')
    daemon = DaemonProcess(config, "run", "--workers", "3")
    await daemon.start()
    try:
        status, _, _ = await daemon.command("replay", str(posts))
        assert status == 0
        await daemon.until("/claims?limit=500", lambda page: _mentions(page) == POSTS)
        started = [json.loads(line)["pid"] for line in daemon.log().splitlines() if "worker started" in line]
        assert len(started) == 2
        niceness = [os.getpriority(os.PRIO_PROCESS, pid) for pid in (daemon.pid, *started)]
        assert niceness[1:] == [min(19, niceness[0] + 10)] * 2, "they give way to the process that answers"
    finally:
        await daemon.kill()
    async with running_daemon(config) as again:  # takes the orphan redis-server over, so that it ends too
        await until_gone(started)
        assert _mentions(await again.get("/claims?limit=500")) == POSTS


async def test_a_worker_whose_daemon_is_gone_does_not_take_its_place(tmp_path: Path) -> None:
    rules_alone(tmp_path)
    config = tmp_path / "monitor.toml"
    config.write_text('data_dir = "data"\n[api]\nport = 0\n')
    reading, writing = os.pipe()  # still open, as a child may have it that does not know yet
    with files("") as (_, out, err), os.fdopen(reading) as stdin, os.fdopen(writing, "w"):
        words = ("--config", str(config), "work", "--with-parent")
        worker = launch(words, stdin.fileno(), out.fileno(), err.fileno())
        async with asyncio.timeout(PATIENCE_S):
            assert await worker.wait() == 1
        assert "belongs to is gone" in written(err)
    assert not (tmp_path / "data" / "redis").exists()


def _mentions(page: Any) -> int:
    return sum(claim["mentions"] for claim in page["items"])


async def until_gone(pids: list[int]) -> None:
    async with asyncio.timeout(120):
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            await asyncio.sleep(0.05)


async def _stop(process: DaemonProcess) -> None:
    if process.running:
        await process.stop()
