"""Where posts come from: one module a platform, all behind the interfaces of `base`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.collectors.base import Access, Collector, Kind, Streamer
    from monitor.collectors.budget import Budgets
    from monitor.settings import Source
    from monitor.topic import Topic

# A line a kind: the module that holds its `KIND`. They are imported when first asked for, since some bring large libraries along,
# and the parser's process, which imports this package too, must start fast.
MODULES: dict[str, str] = {
    "bluesky": "monitor.collectors.bluesky",
    "clinicaltrials": "monitor.collectors.clinicaltrials",
    "feed": "monitor.collectors.feed",
    "folder": "monitor.collectors.folder",
    "gdelt": "monitor.collectors.gdelt",
    "hackernews": "monitor.collectors.hackernews",
    "instagram": "monitor.collectors.instagram",
    "lemmy": "monitor.collectors.lemmy",
    "mastodon": "monitor.collectors.mastodon",
    "openfda": "monitor.collectors.openfda",
    "pubmed": "monitor.collectors.pubmed",
    "reddit": "monitor.collectors.reddit_feeds",
    "tiktok": "monitor.collectors.tiktok",
    "x": "monitor.collectors.x",
    "youtube": "monitor.collectors.youtube",
}


def kind_of(source: Source) -> Kind:
    """The kind of a source of the settings."""
    kind: Kind = importlib.import_module(MODULES[source.kind]).KIND
    return kind


def open_collector(
    source: Source, budgets: Budgets | None = None, topic: Callable[[], Topic] | None = None
) -> Collector | Streamer:
    """The collector for a source of the settings. It opens connections at its first poll, inside the running loop.

    `budgets` are shared with other processes; without, only what this collector itself is told by servers is kept to. `topic`
    gives the topic pack of the moment; the kinds whose searches stand there (`Kind.by_topic`) raise TypeError without it.
    """
    from monitor.collectors.budget import Budgets as Own  # noqa: PLC0415 - as the modules above

    kind = kind_of(source)
    if not kind.by_topic:
        return kind.open(source, budgets or Own())
    if topic is None:
        raise TypeError(f"a source of kind {source.kind} is opened with the topic pack")
    return kind.open(source, budgets or Own(), topic)


def access_to(source: Source) -> Access:
    """What a source can do with the credentials that it has. Nobody is asked."""
    return kind_of(source).access(source)
