"""Where posts come from: one module a platform, all behind the interfaces of `base`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.collectors.base import Access, Collector, Kind, Streamer
    from monitor.collectors.budget import Budgets
    from monitor.settings import Source

# A line a kind: the module that holds its `KIND`. They are imported when first asked for, since some bring large libraries along,
# and the parser's process, which imports this package too, must start fast.
MODULES: dict[str, str] = {
    "bluesky": "monitor.collectors.bluesky",
    "feed": "monitor.collectors.feed",
    "folder": "monitor.collectors.folder",
    "gdelt": "monitor.collectors.gdelt",
    "hackernews": "monitor.collectors.hackernews",
    "instagram": "monitor.collectors.instagram",
    "lemmy": "monitor.collectors.lemmy",
    "mastodon": "monitor.collectors.mastodon",
    "reddit": "monitor.collectors.reddit_feeds",
    "tiktok": "monitor.collectors.tiktok",
    "x": "monitor.collectors.x",
    "youtube": "monitor.collectors.youtube",
}


def kind_of(source: Source) -> Kind:
    """The kind of a source of the settings."""
    kind: Kind = importlib.import_module(MODULES[source.kind]).KIND
    return kind


def open_collector(source: Source, budgets: Budgets | None = None) -> Collector | Streamer:
    """The collector for a source of the settings. It opens connections at its first poll, inside the running loop.

    `budgets` are shared with other processes; without, only what this collector itself is told by servers is kept to.
    """
    from monitor.collectors.budget import Budgets as Own  # noqa: PLC0415 - as the modules above

    return kind_of(source).open(source, budgets or Own())


def access_to(source: Source) -> Access:
    """What a source can do with the credentials that it has. Nobody is asked."""
    return kind_of(source).access(source)
