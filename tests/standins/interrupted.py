"""A poll that fails in the middle, as the runner sees it: what came before counts, and so does the cursor of the last batch."""

from __future__ import annotations

from monitor.collectors.base import Batch, Collector, SourceError


async def interrupted(collector: Collector, cursor: str | None = None) -> tuple[list[Batch], str | None, SourceError]:
    """The batches before the failure, the last cursor that was given, and the failure."""
    batches: list[Batch] = []
    try:
        async for batch in collector.poll(cursor):
            batches.append(batch)
            cursor = batch.cursor if batch.cursor is not None else cursor
    except SourceError as error:
        return batches, cursor, error
    raise AssertionError("the poll did not fail")
