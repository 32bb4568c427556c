"""What every collector is: something that can be polled and says where it got to."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from monitor.words import Post


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Some posts, and the cursor that is right once they are in the stream.

    The runner publishes posts and cursor in one atomic step, so a crash repeats a batch and never skips one. The cursor is the
    collector's own JSON text; nobody else reads it.
    """

    posts: list[Post]
    cursor: str
    # Nothing is owed before this many seconds, where the server said so (max-age, a rate limit); None: the source's interval.
    wait: float | None = None
    # Where posts may have been missed before this batch and cannot be fetched any more: what happened, in a short sentence.
    gap: str | None = None


class SourceError(Exception):
    """A poll failed, in words for the operator.

    `retry_after`: seconds the server asked for. `permanent`: no use trying again before the configuration changes (a feed that is
    gone, credentials that are refused); the source is then off, and nothing else stops.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, permanent: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.permanent = permanent


class Collector(Protocol):
    """One source, polled. Nothing of it runs between polls."""

    def poll(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """One pass over the source from `cursor` (None the first time), in batches of at most 500 posts.

        Every post since the cursor is in some batch, also where there are more than one page of them; a post may come twice.
        Posts are not matched against the topic here. Raises SourceError; any other exception is a bug and is reported as one.
        """
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...
