"""Carries out deletions everywhere: in the record, in the stream, among what is dead."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from monitor.ids import public_id
from monitor.notices import Gone, author_name, post_name
from monitor.pseudonyms import Pseudonyms
from monitor.settings import Endpoint
from monitor.store import Connection, Database, erase
from monitor.stream import Signal, Stream
from monitor.words import decode_post

log = structlog.get_logger()


class Eraser:
    """Erases what platforms, or persons, say is gone."""

    def __init__(self, stream: Stream, database: Database, pseudonyms: Pseudonyms, endpoints: Sequence[Endpoint] = ()) -> None:
        self._stream = stream
        self._database = database
        self._pseudonyms = pseudonyms
        self._endpoints = endpoints

    async def erase(
        self,
        gone: Sequence[Gone],
        *,
        hide_ids: bool = False,
        thorough: bool = False,
        progress: Callable[[int], None] = lambda _: None,
    ) -> int:
        """Erases the posts, wherever they are; how many mentions were on record.

        What nobody here ever heard of costs one look; to be `thorough`, the stream is looked through for it all the same, however
        long ago it was published. With `hide_ids` the platform's ids go from the record too. `progress` is told how many more are
        done. Safe to repeat. Raises StreamUnavailable, StoreUnavailable.
        """
        posts = {(one.platform, one.post) for one in gone if one.post is not None}
        names = [(one.platform, self._pseudonyms.of(one.platform, one.author)) for one in gone if one.author is not None]
        by = {(platform, author) for platform, author in names if author is not None}
        prefixes = {(one.platform, one.prefix) for one in gone if one.prefix}
        if not posts and not by and not prefixes:
            return 0
        marks = [*(post_name(*one) for one in posts), *(author_name(*one) for one in by)]
        lately = await self._stream.published_lately(marks)
        which = erase.matching(posts, by, prefixes)
        async with self._database.read() as connection:
            known = await erase.find(connection, which)
        if not known and not lately and not thorough:
            return 0
        count, raised = 0, list[int]()

        async def step(connection: Connection) -> tuple[list[int], list[int]]:
            await erase.mark(connection, marks if thorough else lately)
            numbers = await erase.find(connection, which)
            return numbers, await erase.erase(connection, numbers, endpoints=self._endpoints, hide_ids=hide_ids)

        while True:
            numbers, told = await self._database.write_again(step)
            raised += told
            count += len(numbers)
            progress(len(numbers))
            if len(numbers) < erase.MOST:
                break

        def is_gone(data: bytes) -> bool:
            try:
                post = decode_post(data)
            except (ValueError, RecursionError):
                return False
            its = (post.platform, post.id)
            begins = any(post.platform == platform and post.id.startswith(prefix) for platform, prefix in prefixes)
            return its in posts or (post.platform, post.author) in by or begins

        purged = await self._stream.purge(is_gone)
        await self._stream.signal(*(Signal(kind="alert", id=public_id("a", number)) for number in raised))
        log.info("posts erased", mentions=count, entries=purged, told=len(raised))
        return count
