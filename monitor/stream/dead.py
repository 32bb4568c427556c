"""What was set aside, as it is read back and named."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.stream.records import DeadEntry, ms_of


def dead_entry(partition: int, entry_id: bytes, fields: dict[bytes, bytes]) -> DeadEntry:
    return DeadEntry(
        id=f"{partition}.{entry_id.decode()}",
        partition=partition,
        entry_id=fields.get(b"id", b"").decode("ascii", "replace"),
        data=fields.get(b"d", b""),
        error=fields.get(b"error", b"").decode("utf-8", "replace"),
        deliveries=int(fields.get(b"deliveries", b"0")),
        died_at=ms_of(entry_id),
    )


def by_partition(ids: Sequence[str], partitions: int) -> dict[int, list[str]]:
    """Dead ids (`0.1763812800000-0`) by partition, without those that cannot name a dead entry."""
    found: dict[int, list[str]] = {}
    for dead_id in ids:
        partition, _, entry_id = dead_id.partition(".")
        ms, _, seq = entry_id.partition("-")
        numbers = (partition, ms, seq)
        if all(part.isascii() and part.isdigit() and len(part) <= 15 for part in numbers) and int(partition) < partitions:
            found.setdefault(int(partition), []).append(entry_id)
    return found
