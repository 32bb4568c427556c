"""Opens the reader of posts that the settings ask for, or names its version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from monitor.settings import Classifier
from monitor.store import Database
from monitor.topic import Topic
from workers import classify
from workers.judgement import Judge
from workers.openai.purse import Purse
from workers.openai.reader import OpenAIReader
from workers.openai.reader import version_of as version_of_openai
from workers.reader import LocalReader, PostReader


@asynccontextmanager
async def opened_reader(settings: Classifier, topic: Topic, judge: Judge, database: Database | None) -> AsyncIterator[PostReader]:
    """The reader, for as long as the block. `judge` is the local one; the database keeps a daily cap, where there is one."""
    reader: PostReader
    if settings.kind == "local":
        reader = LocalReader(judge)
    else:
        purse = Purse(database, settings) if database is not None and settings.daily_cap is not None else None
        reader = OpenAIReader(judge, topic, settings, purse)
    try:
        yield reader
    finally:
        await reader.close()


def version_of(settings: Classifier, topic: Topic) -> str:
    """The version of that reader, as judgements name it, without loading a model. Raises TopicError."""
    return classify.version_of(topic) if settings.kind == "local" else version_of_openai(settings, topic)
