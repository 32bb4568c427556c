"""Where posts come from: one module a platform, all behind the `Collector` of `base`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.collectors.base import Collector
    from monitor.settings import Source


def open_collector(source: Source) -> Collector:
    """The collector for a source of the settings. It opens connections at its first poll, inside the running loop."""
    # Imported here, one by one: the parser's process imports this package too and must start fast.
    if source.kind == "feed":
        from monitor.collectors.feed import FeedCollector  # noqa: PLC0415

        return FeedCollector(source)
    if source.client_id is None or not source.client_id.get_secret_value():
        from monitor.collectors.reddit_feeds import RedditFeedsCollector  # noqa: PLC0415

        return RedditFeedsCollector(source)
    from monitor.collectors.reddit import RedditCollector  # noqa: PLC0415

    return RedditCollector(source)
