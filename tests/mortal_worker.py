"""A worker that dies at a given step: `python -m tests.mortal_worker REDIS_URL STORE_URL`, then one number a line on its input.

Says `ready`. For each number, a child works on the stream and kills itself with SIGKILL at that step. A step is a statement once
the database has done it, and a command to Redis just before it is sent and just after it was answered. Answers `killed`, or
`lived` where all was done and told before that step came.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from sqlalchemy import Engine, event

from monitor.settings import Settings, load
from monitor.store import Database
from monitor.stream import Stream
from monitor.stream.connection import Link
from monitor.stream.keys import SIGNALS
from monitor.topic import load_topic
from tests.api_server import ENDPOINT
from workers.judgement import Judge
from workers.pipeline import Worker
from workers.reader import LocalReader


class Steps:
    """Counts steps of this process, and ends it at the one that is its last."""

    def __init__(self, last: int) -> None:
        self._left = last

    def step(self, *_: Any) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Counts what is asked of the database and of Redis from now on."""
        event.listen(Engine, "after_cursor_execute", self.step)
        for name in ("run", "script", "together"):
            setattr(Link, name, self._counted(getattr(Link, name)))

    def _counted(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(link: Link, *arguments: Any) -> Any:
            self.step()
            answer = await call(link, *arguments)
            self.step()
            if any(isinstance(part, tuple) and SIGNALS in part for part in arguments):
                os._exit(0)  # all is done and told
            return answer

        return counted


def lexicon_judge() -> Judge:
    """The judge of the shipped pack without its model, which would need threads, and these do not survive a fork."""
    return Judge(msgspec.structs.replace(load_topic(load().topic_folder), model=None))


def settings_of(redis_url: str, store_url: str) -> Settings:
    return Settings(redis={"url": redis_url}, store={"url": store_url}, endpoint=[ENDPOINT])


async def work(settings: Settings, judge: Judge, last: int) -> None:
    stream, database = await Stream.open(settings.redis.url), Database(settings.sqlalchemy_url)
    Steps(last).watch()
    await Worker("mortal", stream, database, LocalReader(judge), settings).run(asyncio.Event())


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings, judge = settings_of(*sys.argv[1:]), lexicon_judge()
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(work(settings, judge, int(line)))
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else "lived" if status == 0 else f"failed with {status}", flush=True)


if __name__ == "__main__":
    main()
