"""What goes in and what comes out."""

from __future__ import annotations

import msgspec

from monitor.stream.keys import MAX_SEQ

Place = tuple[int, int]  # of an entry in its partition: later entries have higher ones, whatever clocks do


class Item(msgspec.Struct, frozen=True):
    """Something to publish. `key` says when two are the same (`Post.version`); `data` is JSON that the stream never reads.

    `names` are what it can be asked for by `Stream.published_lately`.
    """

    key: str
    data: bytes
    names: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """One published item in a worker's hands. `deliveries` counts this one too. `first` is the id under which it first came,
    where it was dead and is replayed."""

    id: str
    partition: int
    data: bytes
    deliveries: int
    first: str = ""

    @property
    def number(self) -> int:
        """The id as a number below 2**63 that sorts by time: ms << 21 | partition << 13 | count within the millisecond.

        It is the same at every delivery, also after a replay: an old text does not become a later one by that. No two entries of
        one Redis share it: publishing keeps the count below 2**13.
        """
        ms, _, seq = (self.first or self.id).partition("-")
        return int(ms) << 21 | self.partition << 13 | min(int(seq), MAX_SEQ)


class Signal(msgspec.Struct, frozen=True):
    """A wake-up: something of this kind, with this id, is new in the store. `position` is set on those that are read."""

    kind: str
    id: str
    position: str = ""


class StreamStats(msgspec.Struct, frozen=True):
    """How the stream stands, over all partitions.

    `length` entries are not done: `pending` of them are in workers' hands or wait to come again, `lag` are not yet handed out.
    `oldest_age_s` is the age of the oldest that is not done, None where there is none. `dead` were set aside.
    """

    length: int
    pending: int
    lag: int
    oldest_age_s: float | None
    dead: int


class DeadEntry(msgspec.Struct, frozen=True):
    """An entry that was set aside. `id` names it for `replay_dead`; `entry_id` is the id it had; `died_at` is in ms."""

    id: str
    partition: int
    entry_id: str
    data: bytes
    error: str
    deliveries: int
    died_at: int


def ms_of(entry_id: bytes) -> int:
    """When an entry was made, by the server's clock (ms)."""
    return int(entry_id.partition(b"-")[0])


def place_of(entry_id: bytes) -> Place:
    """The place of an entry in its partition, for comparing."""
    ms, _, seq = entry_id.partition(b"-")
    return int(ms), int(seq)
