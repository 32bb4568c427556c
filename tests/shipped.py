"""The shipped topic pack and its judge, loaded once in a test process: both are read, never changed."""

from __future__ import annotations

from functools import cache

from monitor.settings.model import SHIPPED
from monitor.topic import Topic, load_topic
from workers.judgement import Judge

PACK = SHIPPED / "topics" / "exosomes"


@cache
def topic() -> Topic:
    """The shipped pack, with its model."""
    return load_topic(PACK)


@cache
def judge() -> Judge:
    """Who judges by it, with the jurisdictions that are the default."""
    return Judge(topic())
