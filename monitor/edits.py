"""Which edited posts are on record: one that no longer speaks of the topic still has to be judged anew there."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.notices import post_name
from monitor.store import Database, mentions
from monitor.stream import Stream
from monitor.words import Post


class Record:
    """What was taken in: lately, as the stream remembers, or before, as the database has it."""

    def __init__(self, stream: Stream, database: Database) -> None:
        self._stream = stream
        self._database = database

    async def known(self, posts: Sequence[Post]) -> set[tuple[str, str]]:
        """Those of the posts (platform, id) that were taken in. Raises StreamUnavailable, StoreUnavailable."""
        names = {post_name(post.platform, post.id): (post.platform, post.id) for post in posts}
        lately = await self._stream.published_lately(list(names))
        found = {names[name] for name in lately}
        others = [one for one in names.values() if one not in found]
        if others:
            async with self._database.read() as connection:
                found |= await mentions.on_record(connection, others)
        return found
