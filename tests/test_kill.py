"""SIGKILL at random moments, thirty times: each post is stored once, each new claim alerted once, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from monitor.embedded.places import read_state
from tests.checker import check, embedded_url, leases_over, rests_over
from tests.daemon_process import DaemonProcess, run_command, running_daemon
from tests.receiver import Receiver
from tests.test_roles import write_config

POSTS = 5_000
CLAIMS = 50
KILLS_OF_PARTS, KILLS_OF_ALL = 21, 9


def posts() -> list[dict[str, str]]:
    """Posts that carry `CLAIMS` different claims: propositions that differ by their number."""
    return [
        {
            "platform": "forum",
            "id": str(n),
            "text": f"Exosomes raise collagen by {100 + n % CLAIMS}%, post {n}.",
            "author": f"a{n}",
        }
        for n in range(POSTS)
    ]


OFFERED = {("forum", str(n)) for n in range(POSTS)}


async def test_workers_and_senders_killed_while_posts_come(tmp_path: Path, redis_url: str, store_url: str) -> None:
    """Half of the posts are replayed, the others come by and by, so that there is work in hand at every kill."""
    replayed, posted = posts()[: POSTS // 2], posts()[POSTS // 2 :]
    file = tmp_path / "posts.jsonl"
    file.write_text("\n".join(map(json.dumps, replayed)))
    dice = random.Random(7)
    async with Receiver() as receiver, AsyncExitStack() as processes:
        config = write_config(tmp_path, redis_url, store_url, receiver.url)
        server = await processes.enter_async_context(running_daemon(config, "serve"))
        parts = [DaemonProcess(config, role) for role in ("work", "work", "deliver")]
        for part in parts:
            processes.push_async_callback(ended, part)
        await asyncio.gather(*(part.start() for part in parts))
        replaying = asyncio.create_task(run_command("--config", str(config), "replay", str(file)))
        restarts: dict[DaemonProcess, asyncio.Task[None]] = {}
        victims = dice.sample(parts * (KILLS_OF_PARTS // len(parts)), KILLS_OF_PARTS)
        for number, victim in enumerate(victims):
            await server.post("/mentions", posted[number::KILLS_OF_PARTS])
            if victim in restarts:
                await restarts[victim]
            await asyncio.sleep(dice.random() * 0.1)
            await victim.kill()
            restarts[victim] = asyncio.create_task(victim.start())
        await asyncio.gather(*restarts.values())
        status, out, err = await replaying
        assert (status, out) == (0, f"accepted {len(replayed)}, duplicates 0, unmatched 0\n"), err
        await until_settled(server, store_url, Path(redis_url.removeprefix("unix://")))
    await check(store_url, OFFERED, receiver.kept)


async def test_the_whole_daemon_killed_with_its_redis_server(tmp_path: Path) -> None:
    dice = random.Random(11)
    async with Receiver() as receiver:
        config = write_config(tmp_path, "", "", receiver.url)
        data_dir = tmp_path / "data"
        daemon = DaemonProcess(config)
        try:
            await daemon.start()
            for number in range(KILLS_OF_ALL):
                offering = asyncio.create_task(offer(daemon, posts()[number::KILLS_OF_ALL]))
                await asyncio.sleep(dice.random() * 0.5)
                state = read_state(data_dir / "redis")
                assert state
                killed = [daemon.kill] if dice.random() < 0.3 else [daemon.kill, lambda pid=state.pid: _kill(pid)]
                dice.shuffle(killed)
                for kill in killed:
                    await kill()
                await daemon.start()
                await offering
            state = read_state(data_dir / "redis")
            assert state
            await until_settled(daemon, embedded_url(data_dir), Path(state.socket))
        finally:
            status = await daemon.stop()
        assert status == 0
    await check(embedded_url(data_dir), OFFERED, receiver.kept)


async def offer(daemon: DaemonProcess, waiting: list[dict[str, str]]) -> None:
    """Hands the posts in over HTTP as a careful client does: what was not answered with 202 is offered again."""
    while waiting:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{daemon.address}/api/v1/mentions", json=waiting[:50]) as answer,
            ):
                if answer.status == 202:
                    waiting = waiting[50:]
        except (aiohttp.ClientError, OSError):
            await asyncio.sleep(0.05)


async def until_settled(server: DaemonProcess, store_url: str, redis_socket: Path) -> None:
    rests_over(redis_socket)
    await server.until("/stats?bucket=day", lambda stats: sum(day["mentions"] for day in stats["buckets"]) >= POSTS)
    await leases_over(store_url)
    await server.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)


async def ended(part: DaemonProcess) -> None:
    if part.running:
        await part.stop()


async def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
