"""Posts and people that asked to be forgotten: kept as keyed hashes alone, so that nothing of theirs is taken in again."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator

import structlog

from monitor.store import Database, StoreUnavailable, forgetting
from monitor.words import Post

log = structlog.get_logger()

LOOK_EVERY_S = 5.0
ANY = "*"  # in place of a platform


class Forgotten:
    """What is not to be taken in. `key` is the installation's first key for authors, which stays when others follow it."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._key = key
        self._digests: frozenset[str] = frozenset()
        self._known_until = 0.0

    async def refresh(self) -> None:
        """Looks at what was added, now and then. A database that is away changes nothing."""
        if time.monotonic() < self._known_until:
            return
        try:
            async with self._database.read() as connection:
                self._digests = frozenset(await forgetting.digests(connection))
        except StoreUnavailable as error:
            log.warning("who is forgotten cannot be looked up now", error=str(error))
        self._known_until = time.monotonic() + LOOK_EVERY_S

    def holds(self, post: Post) -> bool:
        """Whether a post (its author not yet hidden) is one of them or by one of them."""
        return bool(self._digests) and not self._digests.isdisjoint(self._of(post))

    def of_author(self, platform: str, author: str) -> str:
        """The digest of a person; the platform may be `ANY`."""
        return self._digest("author", platform, author)

    def of_post(self, platform: str, post_id: str) -> str:
        """The digest of a post."""
        return self._digest("post", platform, post_id)

    def of_url(self, url: str) -> str:
        """The digest of a post's address."""
        return self._digest("url", "", url.rstrip("/"))

    def _of(self, post: Post) -> Iterator[str]:
        yield self.of_post(post.platform, post.id)
        if post.url:
            yield self.of_url(post.url)
        if post.author:
            yield self.of_author(post.platform, post.author)
            yield self.of_author(ANY, post.author)

    def _digest(self, *parts: str) -> str:
        text = "\0".join(("forgotten", *parts)).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:32]
