"""What every collector is: something that can be polled, or that streams, and says where it got to.

A kind of source is its settings class (`monitor.settings.sources`), a module here with a `KIND`, and one line in the table of
each package. A polled collector is a `Collector`, a streamed one a `Streamer`; either may also be able to do what `Refills` and
`Verifies` say. `run` keeps them going.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from monitor.notices import Gone, News
from monitor.words import Post


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A time that was surely covered: every post that the source carried then has been heard (ms since 1970, half open).

    `since` None: from where the source's coverage ended so far. `until` None: to where the poll began.
    """

    since: int | None = None
    until: int | None = None


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which posts may have been missed, and why, in a short sentence. `since` and `until` as in `Span`.

    `ticket` is the collector's own text on how to fetch what is missing, given back to `refill`; None: it is lost.
    """

    cause: str
    since: int | None = None
    until: int | None = None
    ticket: str | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard, and the cursor that is right once it is safe.

    The runner notes the gap, publishes the posts, carries out what is deleted, and moves the cursor, in this order and the last
    two posts' steps in one; so a crash repeats a batch and never skips one. The cursor is the collector's own JSON text; nobody
    else reads it. None leaves it where it is, as everything that `refill` yields has to.
    """

    posts: list[Post] = []
    cursor: str | None = None
    # What the platform says is gone: after the posts of this batch, and whether exowatch has it or not.
    deleted: list[Gone] = []
    # What is not talk: trials, retractions, warning letters. Told to the register's editor and never judged.
    news: list[News] = []
    # Nothing is owed before this many seconds, where the server said so (max-age, a rate limit); None: the source's interval.
    wait: float | None = None
    # What this batch surely covers. A poll that ends well without a gap covers all up to its beginning, and need not say so; of a
    # streamed source nothing counts as covered but what its batches say.
    covered: Span | None = None
    gap: Gap | None = None
    # How many of the posts came later than they should have: in a time that was covered before.
    late: int = 0


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


@runtime_checkable
class Streamer(Protocol):
    """One source that speaks by itself."""

    @property
    def stall_s(self) -> float:
        """Seconds without a batch after which the connection counts as dead and another is made."""
        ...

    def stream(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """One connection, from `cursor` on, yielding for ever; a return means that the server ended it. It is called again to
        connect again, with the cursor of the last batch.

        A quiet connection yields empty batches as signs of life (at its pings, say), often enough for `stall_s`. A batch has at
        most 500 posts and is not held back for longer than half a second. Raises SourceError.
        """
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...


@runtime_checkable
class Refills(Protocol):
    """A collector that can go back and fetch what a gap missed."""

    def refill(self, gap: Gap) -> AsyncGenerator[Batch, None]:
        """The posts of a gap with a ticket (its `since` and `until` are set), in batches without a cursor.

        Where it ends well the gap is closed, but for what a batch's own `gap` says is lost for good. Raises SourceError: it is
        then tried again later, or if `permanent` the gap is given up. It may run while the source is polled or streams.
        """
        ...


@runtime_checkable
class Verifies(Protocol):
    """A collector that can ask whether posts are still there, for platforms that do not tell."""

    async def still_there(self, ids: Sequence[str]) -> set[str]:
        """Those of at most 100 posts (the platform's ids) that are still public under their author's name. Raises SourceError.

        An answer that leaves a post in doubt has to raise: what is not in the set is erased.
        """
        ...


class Hub(msgspec.Struct, frozen=True):
    """Where a feed says that others are told at once of what is new in it, and by which address the feed goes there.

    `private`: whether the hub may have an address that is not public, which it may where the feed has one.
    """

    url: str
    topic: str
    private: bool = False


@runtime_checkable
class Pushed(Protocol):
    """A polled collector to which a hub may push as well (WebSub). It is polled all the same."""

    @property
    def hub(self) -> Hub | None:
        """The hub that the source named at the last poll; None where it names none, or is not to push."""
        ...

    def pushed(self, body: bytes, content_type: str, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """What a hub sent, in batches as of a poll. Never runs beside a poll. Raises SourceError."""
        ...


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What a source can do with the credentials that it has: `works` in a few words, and which are `missing` and how to get them.

    `usable` is false where without them nothing can be heard at all.
    """

    works: str
    missing: str | None = None
    usable: bool = True


class Kind(msgspec.Struct, frozen=True):
    """How a kind of source is opened, and what its settings allow. `open` connects nothing; `access` asks nobody.

    `open` takes the source and its budgets; where the topic pack says what is searched for (`by_topic`), also a function that
    gives the pack as it is at the moment.
    """

    open: Callable[..., Collector | Streamer]
    access: Callable[[Any], Access]
    by_topic: bool = False
