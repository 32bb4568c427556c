"""Where a source would have to be read from if Redis lost everything: behind nothing that is still to be judged.

The cursor in Redis is past what waits there. The one that is kept in the record, for when Redis has none, must not be.
"""

from __future__ import annotations

from monitor.stream import Place, Stream

MOST = 64
NOWHERE: Place = (0, 0)


class Trail:
    """The cursors of one source that something may still wait behind, the oldest first."""

    def __init__(self, stream: Stream, source: str) -> None:
        self._stream = stream
        self._source = source
        self._latest: str | None = None
        # A cursor, and what was the newest entry of each partition when all before it was in the stream.
        self._marks: list[tuple[list[Place], str]] = []

    def passed(self, cursor: str) -> None:
        """Says that everything before this cursor is in the stream."""
        self._latest = cursor

    async def judged(self) -> str | None:
        """The latest cursor before which nothing waits to be judged; None where that is no later one than it was.

        Raises StreamUnavailable; StreamRewound where something before it was lost: then nothing is known of these cursors.
        """
        if self._latest is None and not self._marks:
            return None
        latest = self._latest
        waiting = await self._stream.horizon(self._source)
        if latest is not None:
            self._marks.append(([NOWHERE if one is None else one[1] for one in waiting], latest))
            self._latest = None
        done = sum(
            all(one is None or newest < one[0] for newest, one in zip(mark, waiting, strict=True)) for mark, _ in self._marks
        )
        found = self._marks[done - 1][1] if done else None
        del self._marks[:done]
        if len(self._marks) > MOST:  # much waits: fewer of them do as well
            del self._marks[1:-1:2]
        return found

    def rewind(self) -> None:
        """Says that Redis lost what was in the stream."""
        self._latest = None
        self._marks.clear()
