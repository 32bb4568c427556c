"""What a Mastodon source remembers: where each timeline was read to, and which statuses were told, under which ids where."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from monitor.collectors.mastodon_statuses import Status
from monitor.notices import Gone
from monitor.words import Post

REMEMBERED = 2_000  # statuses, and ids of each server
_GONE = "\uffff"  # later than any edit


class Record(msgspec.Struct, omit_defaults=True):
    """The cursor. All of it is bounded.

    `last`: by server and timeline, the newest id that was read. `ids`: by server, its ids and the statuses' addresses. `told`: by
    address, when what was told of it was edited; so that two servers that show one status differently tell it once.
    """

    last: dict[str, dict[str, str]] = {}
    ids: dict[str, dict[str, str]] = {}
    told: dict[str, str] = {}
    whole: dict[str, float] = {}  # by server, when a whole day was last read again (Unix seconds)

    def newer(self, server: str, status: Status, *, edit: bool = False) -> Post | None:
        """The post, where it or this edit of it was not told yet; `edit`: the server says that it is one."""
        _put(self.ids.setdefault(server, {}), status.id, status.post.id)
        before = self.told.get(status.post.id)
        if before is not None and (status.edited < before or (status.edited == before and not edit) or before == _GONE):
            return None
        _put(self.told, status.post.id, status.edited)
        return status.post

    def gone(self, server: str, id_: str) -> Gone | None:
        """The post of an id that is deleted; None where the id was never seen. It is not told again, whatever comes late."""
        uri = self.ids.get(server, {}).get(id_)
        if uri is None:
            _put(self.ids.setdefault(server, {}), id_, "")  # it may come yet, out of order
            return None
        if not uri:
            return None
        _put(self.told, uri, _GONE)
        return Gone(platform="mastodon", post=uri)

    def is_gone(self, server: str, id_: str) -> bool:
        """Whether the id was deleted before it was seen."""
        return self.ids.get(server, {}).get(id_) == ""

    def places(self, uri: str, servers: Iterable[str]) -> list[tuple[str, str]]:
        """The servers that know a status, each with its own id of it."""
        return [(server, id_) for server in servers for id_, known in self.ids.get(server, {}).items() if known == uri]

    def dump(self) -> str:
        """The cursor's text."""
        return msgspec.json.encode(self).decode()


def _put(kept: dict[str, str], key: str, value: str) -> None:
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > REMEMBERED:
        del kept[next(iter(kept))]
