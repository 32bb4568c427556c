"""Judging posts in a command: by the classifier that the settings name, without a daemon."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import IO

from monitor.settings import Settings
from monitor.store import Database
from monitor.topic import load_topic
from workers.judgement import Judge
from workers.reader import Given, PostReader, Weighed
from workers.readers import opened_reader

_TOGETHER = 100  # posts of a file that are judged side by side


class Judging:
    """The classifier at work. Calls wait, so that a command reads its input in plain order and Ctrl-C ends it at once."""

    def __init__(self, runner: asyncio.Runner, reader: PostReader) -> None:
        self._runner = runner
        self._reader = reader

    def weigh(self, posts: Sequence[Given]) -> list[Weighed]:
        """One judgement a post, in their order. Raises what a post that cannot be judged raises."""
        outcomes = self._runner.run(self._reader.weigh(posts))
        weighed = []
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
            weighed.append(outcome)
        return weighed


@contextmanager
def judging(settings: Settings) -> Iterator[Judging]:
    """The configured classifier, for as long as the block. Only a daily cap needs the database, and so the data folder.

    Raises TopicError, StoreError.
    """
    topic = load_topic(settings.topic_folder)
    judge = Judge(topic, settings.alerts.jurisdictions)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def opened() -> PostReader:
            database = None
            if settings.classifier.kind != "local" and settings.classifier.daily_cap is not None:
                database = Database(settings.sqlalchemy_url)
                stack.push_async_callback(database.close)
                await database.migrate()
            return await stack.enter_async_context(opened_reader(settings.classifier, topic, judge, database))

        try:
            yield Judging(runner, runner.run(opened()))
        finally:
            runner.run(stack.aclose())


def together(file: IO[bytes]) -> int:
    """How many posts of an input may be judged at a time: of a pipe or a terminal one, so that each is answered as it comes."""
    try:
        regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:
        regular = False
    return _TOGETHER if regular else 1
