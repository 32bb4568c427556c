"""Whoever judges posts, behind one face, so that the pipeline and the commands need not know who it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec

from monitor import telemetry, tracing
from monitor.store.judged import Origin
from monitor.words import Judgement
from workers.judgement import Judge


class Given(msgspec.Struct, frozen=True):
    """A text to be judged. `lang` is the platform's word for its language; `mark` is where its spans belong."""

    id: str
    text: str
    lang: str | None = None
    mark: tracing.Mark | None = None


class Weighed(msgspec.Struct, frozen=True):
    """A judgement, and where the identity of each of its claims is from."""

    judgement: Judgement
    origins: tuple[Origin, ...]


class PostReader(Protocol):
    """Judges posts. `batch` is how many a worker best hands over at a time; `version` names who judges them."""

    batch: int
    version: str

    async def weigh(self, posts: Sequence[Given]) -> list[Weighed | Exception]:
        """One outcome a post, in their order: where a post cannot be judged, the error, and the others go on."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...


class LocalReader:
    """The classifier of this machine: pure computing, so it runs in a thread."""

    batch = 100  # enough to share a transaction's cost, few enough to be quick after a crash

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.version = judge.classifier.version

    async def weigh(self, posts: Sequence[Given]) -> list[Weighed | Exception]:
        return await asyncio.to_thread(lambda: [self._weigh(post) for post in posts])

    async def close(self) -> None:
        pass

    def _weigh(self, post: Given) -> Weighed | Exception:
        started = time.perf_counter()
        try:
            with tracing.span("weigh", post.mark, mention=post.id):
                judgement, origins = self._judge.weigh(post.id, post.text, post.lang)
        except Exception as error:  # whatever a post does to the classifier, the others of its batch go on
            return error
        telemetry.classify_seconds.observe(time.perf_counter() - started)
        telemetry.classified.inc()
        return Weighed(judgement, origins)
