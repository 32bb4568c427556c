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

from tests.checker import check, embedded_url
from tests.daemon_process import DaemonProcess, run_command, running_daemon
from tests.packs import rules_alone
from tests.receiver import Receiver
from tests.test_roles import write_config

POSTS = 5_000
CLAIMS = 50
KILLS_OF_PARTS, KILLS_OF_ALL = 20, 10


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


async def test_workers_and_senders_killed_while_posts_replay(tmp_path: Path, redis_url: str, store_url: str) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text("\n".join(map(json.dumps, posts())))
    dice = random.Random(7)
    async with Receiver() as receiver, AsyncExitStack() as processes:
        config = write_config(tmp_path, redis_url, store_url, receiver.url)
        rules_alone(tmp_path)
        server = await processes.enter_async_context(running_daemon(config, "serve"))
        parts = [DaemonProcess(config, role) for role in ("work", "work", "deliver")]
        for part in parts:
            processes.push_async_callback(ended, part)
            await part.start()
        replaying = asyncio.create_task(run_command("--config", str(config), "replay", str(file)))
        for _ in range(KILLS_OF_PARTS):
            victim = dice.choice(parts)
            await asyncio.sleep(dice.random() * 0.3)
            await victim.kill()
            await victim.start()
        status, out, err = await replaying
        assert (status, out) == (0, f"accepted {POSTS}, duplicates 0, unmatched 0\n"), err
        await until_settled(server)
    await check(store_url, OFFERED, receiver.kept)


async def test_the_whole_daemon_killed_with_its_redis_server(tmp_path: Path) -> None:
    dice = random.Random(11)
    async with Receiver() as receiver:
        config = write_config(tmp_path, "", "", receiver.url)
        rules_alone(tmp_path)
        data_dir = tmp_path / "data"
        daemon = DaemonProcess(config)
        await daemon.start()
        offering = asyncio.create_task(offer_all(daemon))
        for _ in range(KILLS_OF_ALL):
            await asyncio.sleep(dice.random() * 1.0)
            server = json.loads((data_dir / "redis" / "server.json").read_text())["pid"]
            killed = [daemon.kill] if dice.random() < 0.3 else [daemon.kill, lambda pid=server: _kill(pid)]
            dice.shuffle(killed)
            for kill in killed:
                await kill()
            await daemon.start()
        await offering
        await until_settled(daemon)
        assert await daemon.stop() == 0
    await check(embedded_url(data_dir), OFFERED, receiver.kept)


async def offer_all(daemon: DaemonProcess) -> None:
    """Hands the posts in over HTTP as a careful client does: what was not answered with 202 is offered again."""
    waiting = posts()
    while waiting:
        chunk = waiting[:50]
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{daemon.address}/api/v1/mentions", json=chunk) as answer,
            ):
                if answer.status == 202:
                    waiting = waiting[50:]
        except (aiohttp.ClientError, OSError):
            await asyncio.sleep(0.05)


async def until_settled(server: DaemonProcess) -> None:
    await server.until("/stats?bucket=day", lambda stats: sum(day["mentions"] for day in stats["buckets"]) >= POSTS)
    await server.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)


async def ended(part: DaemonProcess) -> None:
    if part.running:
        await part.stop()


async def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
