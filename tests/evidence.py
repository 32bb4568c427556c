"""A topic with searches and citations, for the kinds of source that read registers of evidence."""

from __future__ import annotations

from pathlib import Path

from monitor.collectors.base import Batch, Collector, SourceError
from monitor.notices import News
from monitor.topic import Topic
from tests.packs import bread
from tests.standins.polling import poll

SEARCHES = ("topic.yaml", "", "searches: [sourdough, rye bread]\n")


def topic_of(
    folder: Path, cites: str = "a paper, PMID 111, and one more, doi 10.5555/Bread.(7)", *more: tuple[str, str, str]
) -> Topic:
    """The pack about bread, where the entry `made-of-flour` cites this."""
    return bread(folder, SEARCHES, ("register/all.yaml", "citation: A cookbook", f'citation: "{cites}"'), *more)


async def told(collector: Collector, cursor: str | None = None) -> tuple[list[News], str]:
    """The news of one poll, and the cursor after it."""
    batches = await poll(collector, cursor)
    assert batches[-1].cursor is not None
    return news_in(batches), batches[-1].cursor


def news_in(batches: list[Batch]) -> list[News]:
    return [one for batch in batches for one in batch.news]


async def before_it_fails(collector: Collector, cursor: str | None = None) -> list[Batch]:
    """The batches of a poll that has to fail, up to where it does."""
    batches: list[Batch] = []
    try:
        async for batch in collector.poll(cursor):
            batches.append(batch)  # noqa: PERF401 - what came before the failure counts
    except SourceError:
        return batches
    raise AssertionError("the poll did not fail")
