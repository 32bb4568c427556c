"""Connections to the server, and what its failures are called.

redis-py's own retries are off: a write that timed out may have been done, and only the layer that made it knows whether it may
be made again. Its default of ten hidden retries turns one stalled XADD into two entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from redis import exceptions as redis_errors
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

Argument = str | bytes | int

# States of a server in which waiting helps: redis-py's class where it has one, the server's word, and ours.
_STATES: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    ((redis_errors.ReadOnlyError,), "READONLY", "is a read-only replica; redis.url has to name the primary"),
    ((redis_errors.OutOfMemoryError,), "OOM command not allowed", "has reached its maxmemory and takes nothing more"),
    ((), "MISCONF", "cannot write to its disk and takes nothing more; see its log"),
)
_STRANGER = ("username-password", "Authentication required", "AUTH called without")
# How servers from 6.2 on say that a user lacks a right: of a command, of a command in a script, of a key in a script.
_FORBIDDEN = ("NOPERM", "The user executing the script", "ACL failure in script")
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


class GroupMissingError(StreamError):
    """The consumer group is gone, as after FLUSHALL or a fail-over to an empty replica. Readers mend it themselves."""


class Script:
    """A Lua script with its digest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Link:
    """A small pool of connections to one server. Failures leave as StreamError, trouble of the server as StreamUnavailable."""

    def __init__(self, url: str, *, connections: int, timeout_s: float, answer_after_s: float = 0.0) -> None:
        """`timeout_s` bounds connecting and every answer; `answer_after_s` is what the server itself may wait in a BLOCK."""
        self.where = _without_secrets(url)
        self._timeout_s = timeout_s + answer_after_s
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=connections,
                timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                socket_timeout=self._timeout_s,
                retry=Retry(NoBackoff(), 0),
                protocol=2,  # pinned: replies keep their shape on every server and version
                driver_info=None,  # CLIENT SETINFO is no right that a user needs, nor a refusal that should fill Redis' ACL log
            )
            pool.connection_class(**pool.connection_kwargs)  # connects nothing, but knows its options
        except ValueError as error:
            raise StreamError(f"redis.url cannot be used: {error}") from None
        except TypeError as error:
            option = str(error).rpartition("argument ")[2]
            raise StreamError(f"redis.url cannot be used: its option {option} is not known") from None
        self._redis: Any = Redis(connection_pool=pool)

    async def run(self, *command: Argument) -> Any:
        """The answer to one command."""
        with self._named_failures():
            return await self._redis.execute_command(*command)

    async def script(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """The answer of a script, which the server is taught where it does not know it."""
        with self._named_failures():
            try:
                return await self._redis.execute_command("EVALSHA", script.sha, len(keys), *keys, *arguments)
            except redis_errors.NoScriptError:
                return await self._redis.execute_command("EVAL", script.text, len(keys), *keys, *arguments)

    async def together(self, *commands: Sequence[Argument]) -> list[Any]:
        """The answers to commands that are done all or none (MULTI)."""
        with self._named_failures():
            async with self._redis.pipeline(transaction=True) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                return list(await pipe.execute())

    async def close(self) -> None:
        """Lets go of the connections."""
        with self._named_failures():
            await self._redis.aclose()
            await self._redis.connection_pool.disconnect()

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


def _without_secrets(url: str) -> str:
    """Where the server is, without user name, password and options."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    host = parts.netloc.rpartition("@")[2]
    return host or "redis.url"
