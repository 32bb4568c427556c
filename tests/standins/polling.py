"""How tests poll a collector: as the runner does, and with what every poll owes."""

from __future__ import annotations

import pytest

from monitor.collectors.base import Batch, Collector, SourceError
from monitor.words import Post


async def poll(collector: Collector, cursor: str | None = None) -> list[Batch]:
    """The batches of one poll."""
    batches = [batch async for batch in collector.poll(cursor)]
    assert all(len(batch.posts) <= 500 for batch in batches)
    return batches


def ids_of(batches: list[Batch]) -> list[str]:
    """The platform's ids of the posts, in the order in which they came."""
    return [post.id for batch in batches for post in batch.posts]


async def heard(collector: Collector, cursor: str | None = None) -> tuple[list[Post], str]:
    """The posts of one poll, and the cursor after it."""
    batches = await poll(collector, cursor)
    return [post for batch in batches for post in batch.posts], batches[-1].cursor


async def texts(collector: Collector, cursor: str | None = None) -> tuple[list[str], str]:
    """The texts of one poll, and the cursor after it."""
    posts, after = await heard(collector, cursor)
    return [post.text for post in posts], after


async def fails(collector: Collector, cursor: str | None = None) -> SourceError:
    """The failure of a poll that has to fail, in one sentence of a readable length."""
    with pytest.raises(SourceError) as caught:
        await poll(collector, cursor)
    assert "\n" not in str(caught.value)
    assert 10 < len(str(caught.value)) < 400
    return caught.value
