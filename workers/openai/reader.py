"""Judges posts by a model, side by side, and by the local classifier wherever the model does not answer."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence

import structlog

from monitor import telemetry, tracing
from monitor.settings import Classifier
from monitor.store.judged import Origin
from monitor.topic import Topic
from monitor.words import Judgement
from workers.classify import Reading
from workers.judgement import Judge
from workers.openai.answer import Answers, InvalidAnswer
from workers.openai.client import MAX_OUTPUT, Client, NoAnswer, Tokens
from workers.openai.prompt import MAX_SENT, Prompt, post_message, prompt_of
from workers.openai.purse import Purse, Taken
from workers.reader import Given, Weighed

log = structlog.get_logger()

SAY_EVERY_S = 60.0  # at most so often it is logged that the local classifier judges instead
# A server that is down must not cost every post its timeout: after so many failures in a row it is left alone for a while.
REST_AFTER = 3
REST_S = 15.0
LONGEST_REST_S = 3_600.0  # also where it asks for more
_BYTES_A_TOKEN = 3  # of a request, about; English has four, and scripts with less have more bytes to a letter


class OpenAIReader:
    """A `PostReader` by a model behind an OpenAI-compatible server. Made inside a running event loop; its owner closes it.

    A post that does not mention the topic in what would be sent of it is judged here, and no request is made. Without a purse
    nothing is counted. One such reader is meant for all the workers of a process, whose requests share `concurrency`.
    """

    def __init__(self, judge: Judge, topic: Topic, settings: Classifier, purse: Purse | None = None) -> None:
        self.batch = settings.concurrency
        self._judge = judge
        self._topic = topic
        self._purse = purse
        self._client = Client(settings)
        self._turns = asyncio.Semaphore(settings.concurrency)
        self._prompt = prompt_of(topic)
        self._answers = Answers(topic, settings.model)
        self.version = _version(settings, self._prompt)
        self._estimate = len(self._prompt.system) + len(str(self._prompt.schema))
        self._failures = 0  # in a row
        self._rest_until = 0.0
        self._say_at = 0.0
        self._unsaid = 0

    async def weigh(self, posts: Sequence[Given]) -> list[Weighed | Exception]:
        return list(await asyncio.gather(*(self._weigh(post) for post in posts)))

    async def close(self) -> None:
        await self._client.close()

    async def _weigh(self, post: Given) -> Weighed | Exception:
        async with self._turns:
            started = time.perf_counter()
            try:
                with tracing.span("weigh", post.mark, mention=post.id):
                    judgement, origins = await self._judged(post)
            except Exception as error:  # whatever a post does to the program, the others of its batch go on
                return error
            telemetry.classify_seconds.observe(time.perf_counter() - started)
            telemetry.classified.inc()
            return Weighed(judgement, origins)

    async def _judged(self, post: Given) -> tuple[Judgement, tuple[Origin, ...]]:
        if not await asyncio.to_thread(self._topic.keywords.find, post.text[:MAX_SENT]):
            return await asyncio.to_thread(self._judge.weigh, post.id, post.text, post.lang)
        try:
            reading = await self._read(post)
        except NoAnswer as error:
            self._fell_back(error)
            return await asyncio.to_thread(self._judge.weigh, post.id, post.text, post.lang)
        with tracing.span("identify and judge"):
            return self._judge.weigh_reading(post.id, post.text, reading, self.version)

    async def _read(self, post: Given) -> Reading:
        """The model's reading of a post. Raises NoAnswer."""
        resting_s = self._rest_until - time.monotonic()
        if resting_s > 0:
            raise NoAnswer("resting", f"{self._client.where} failed lately and is asked again in {resting_s:.0f} s")
        message = post_message(post.text)
        taken = await self._purse.take(self._at_most(message)) if self._purse else None
        try:
            with tracing.span("ask the model", kind="client"):
                completion = await self._client.complete(self._prompt.system, message, self._prompt.schema)
        except NoAnswer as error:
            self._note_failure(error)
            await self._settle(taken, error.tokens)
            raise
        self._failures = 0
        await self._settle(taken, completion.tokens)
        try:
            return await asyncio.to_thread(self._answers.reading, completion.content, post.text, post.lang)
        except InvalidAnswer as error:
            raise NoAnswer("invalid", f"the answer of the model at {self._client.where} is of no use: {error}") from None

    def _at_most(self, message: str) -> Tokens:
        """What a request may take, for as long as nobody knows what it took."""
        return Tokens((self._estimate + len(message.encode())) // _BYTES_A_TOKEN, MAX_OUTPUT)

    async def _settle(self, taken: Taken | None, tokens: Tokens | None) -> None:
        if self._purse and taken and tokens is not None:
            await self._purse.settle(taken, tokens)

    def _note_failure(self, error: NoAnswer) -> None:
        """Leaves the server alone for a while where it wants that, or where it failed again and again."""
        if error.reason not in ("timeout", "unreachable", "busy", "server_error", "rejected"):
            self._failures = 0
            return
        self._failures += 1
        rest_s = error.retry_after_s or 0.0
        if self._failures >= REST_AFTER:
            rest_s = max(rest_s, REST_S)
        self._rest_until = max(self._rest_until, time.monotonic() + min(rest_s, LONGEST_REST_S))

    def _fell_back(self, error: NoAnswer) -> None:
        telemetry.fallbacks.labels(error.reason).inc()
        self._unsaid += 1
        now = time.monotonic()
        if now >= self._say_at:
            log.warning("the local classifier judges instead", reason=error.reason, error=str(error), posts=self._unsaid)
            self._say_at, self._unsaid = now + SAY_EVERY_S, 0


def version_of(settings: Classifier, topic: Topic) -> str:
    """The version of the reader that these settings make; it asks no server."""
    return _version(settings, prompt_of(topic))


def _version(settings: Classifier, prompt: Prompt) -> str:
    return f"openai-{re.sub(r'[^A-Za-z0-9._:/-]', '-', settings.model)[:100]}+{prompt.mark}"
