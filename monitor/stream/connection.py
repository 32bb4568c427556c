"""Connections to the server, and what its failures are called.

redis-py's own retries are off: a write that timed out may have been done, and only the layer that made it knows whether it may
be made again. Its default of ten hidden retries turns one stalled XADD into two entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import exceptions as redis_errors

from monitor.settings.redis_url import read_redis_url
from monitor.stream.servers import Argument, Clients, open_servers

# States of a server in which waiting helps: redis-py's class where it has one, the server's word, and ours.
_STATES: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    ((redis_errors.ReadOnlyError,), "READONLY", "is a read-only replica; redis.url has to name the primary, or its sentinels"),
    ((redis_errors.OutOfMemoryError,), "OOM command not allowed", "has reached its maxmemory and takes nothing more"),
    ((), "MISCONF", "cannot write to its disk and takes nothing more; see its log"),
)
_STRANGER = ("username-password", "Authentication required", "AUTH called without")
# How servers from 6.2 on say that a user lacks a right: of a command, of a command in a script, of a key in a script.
_FORBIDDEN = ("NOPERM", "The user executing the script", "ACL failure in script")
# After these another server may be the right one.
_DOUBTFUL = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.ReadOnlyError,
    redis_errors.ClusterDownError,
    redis_errors.MasterDownError,
    redis_errors.AskError,
    redis_errors.MovedError,
    OSError,
)
_PASSING = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY Redis")


class StreamError(Exception):
    """The stream cannot do what was asked; the text is one sentence for the operator."""


class StreamUnavailable(StreamError):  # noqa: N818 - a state of the server, and named as one
    """The server is down, loading, stalled, full or read-only: nothing is wrong with the work, and it may be tried again."""


class StreamFull(StreamUnavailable):
    """So much waits to be judged that producers are to wait too, before the server's memory ends."""


class StreamRewound(StreamUnavailable):
    """The server has forgotten something that a source had published: it was flushed, or lost its last second, or a replica took
    over. Whoever asks for the source's cursor again knows from where to repeat."""


class LeaseLost(StreamUnavailable):
    """Another process does this now; it is tried again once it is ours again."""


class GroupMissingError(StreamError):
    """The consumer group is gone, as after FLUSHALL or a fail-over to an empty replica. Readers mend it themselves."""


class Script:
    """A Lua script with its digest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Link:
    """A small pool of connections to what `redis.url` names. Failures leave as StreamError, trouble of a server as
    StreamUnavailable."""

    def __init__(self, url: str, *, connections: int, timeout_s: float, answer_after_s: float = 0.0) -> None:
        """`timeout_s` bounds connecting and every answer; `answer_after_s` is what the server itself may wait in a BLOCK."""
        self._timeout_s = timeout_s + answer_after_s
        try:
            address = read_redis_url(url)
            clients = Clients(connections=connections, connect_s=timeout_s, answer_s=self._timeout_s)
            self._servers = open_servers(address, clients)
        except ValueError as error:
            raise StreamError(f"redis.url cannot be used: {error}") from None
        except TypeError as error:
            option = str(error).rpartition("argument ")[2]
            raise StreamError(f"redis.url cannot be used: its option {option} is not known") from None
        self.where = address.where

    @property
    def spread(self) -> bool:
        """Whether partitions may lie on different servers."""
        return self._servers.spread

    async def run(self, *command: Argument, at: str = "") -> Any:
        """The answer to one command; `at` is a key whose server is asked, where the command names none."""
        return await self._ask((at,) if at else command, lambda redis: redis.execute_command(*command))

    async def script(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """The answer of a script, which the server is taught where it does not know it."""

        async def evaluate(redis: Any) -> Any:
            try:
                return await redis.execute_command("EVALSHA", script.sha, len(keys), *keys, *arguments)
            except redis_errors.NoScriptError:
                return await redis.execute_command("EVAL", script.text, len(keys), *keys, *arguments)

        return await self._ask(keys, evaluate)

    async def together(self, *commands: Sequence[Argument]) -> list[Any]:
        """The answers to commands that are done all or none (MULTI)."""

        async def execute(redis: Any) -> list[Any]:
            async with redis.pipeline(transaction=True) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                return list(await pipe.execute())

        return list(await self._ask(commands[0], execute))

    async def close(self) -> None:
        """Lets go of the connections."""
        with self._named_failures():
            await self._servers.close()

    async def _ask(self, words: Sequence[Argument], ask: Callable[[Any], Awaitable[Any]]) -> Any:
        """Asks the server that has what the words name."""
        with self._named_failures():
            try:
                return await self._ask_once(words, ask)
            except redis_errors.MovedError:  # it did nothing, and says that another has it
                return await self._ask_once(words, ask)

    async def _ask_once(self, words: Sequence[Argument], ask: Callable[[Any], Awaitable[Any]]) -> Any:
        try:
            return await ask(await self._servers.at(words))
        except (redis_errors.RedisError, OSError) as error:
            if isinstance(error, _DOUBTFUL) or "READONLY" in str(error):
                self._servers.doubt()
            raise

    @contextmanager
    def _named_failures(self) -> Iterator[None]:
        try:
            yield
        except redis_errors.BusyLoadingError:
            raise StreamUnavailable(f"Redis at {self.where} is still loading its data") from None
        except (redis_errors.TimeoutError, TimeoutError):
            raise StreamUnavailable(f"Redis at {self.where} did not answer within {self._timeout_s:g} s") from None
        except (redis_errors.ConnectionError, OSError) as error:
            # redis-py gives what happens while it greets the server as a plain ConnectionError.
            if isinstance(error, redis_errors.AuthenticationError) or any(words in str(error) for words in _STRANGER):
                raise StreamError(f"Redis at {self.where} refuses the user name or password in redis.url") from None
            if "Timeout" in str(error):
                raise StreamUnavailable(f"Redis at {self.where} did not answer within {self._timeout_s:g} s") from None
            raise StreamUnavailable(f"Redis at {self.where} cannot be reached: {_short(error)}") from None
        except redis_errors.RedisError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: redis_errors.RedisError) -> StreamError:
        """What the server said, in our words. Redis 6.2 wraps an error inside a script in another, so the text is searched."""
        text = str(error)
        if "NOGROUP" in text or text.startswith("UNBLOCKED"):
            return GroupMissingError(f"the consumer group at {self.where} is gone")
        if isinstance(error, redis_errors.MovedError | redis_errors.AskError):
            return StreamUnavailable(f"Redis at {self.where} is moving what is asked for to another node")
        for kind, code, state in _STATES:
            if isinstance(error, kind) or code in text:
                return StreamUnavailable(f"Redis at {self.where} {state}")
        if isinstance(error, redis_errors.ClusterDownError | redis_errors.TryAgainError) or any(
            code in text for code in _PASSING
        ):
            return StreamUnavailable(f"Redis at {self.where} is not ready: {_short(error)}")
        if isinstance(error, redis_errors.NoPermissionError) or any(words in text for words in _FORBIDDEN):
            return StreamError(f"the user in redis.url may not do this at {self.where}: {_short(error)}")
        return StreamError(f"Redis at {self.where} refuses: {_short(error)}")


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
