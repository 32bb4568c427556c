"""The settings of sources, a module a kind.

A new kind is one class and one line in `KINDS`. `monitor.collectors` has the other half of the kind: the module that reads it.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from monitor.settings.sources.base import SourceSection
from monitor.settings.sources.bluesky import BlueskySource
from monitor.settings.sources.clinicaltrials import ClinicalTrialsSource
from monitor.settings.sources.feed import FeedSource
from monitor.settings.sources.folder import FolderSource
from monitor.settings.sources.gdelt import GdeltSource
from monitor.settings.sources.hackernews import HackerNewsSource
from monitor.settings.sources.instagram import InstagramSource
from monitor.settings.sources.lemmy import LemmySource
from monitor.settings.sources.mastodon import MastodonSource
from monitor.settings.sources.openfda import OpenFDASource
from monitor.settings.sources.pubmed import PubMedSource
from monitor.settings.sources.reddit import RedditSource
from monitor.settings.sources.tiktok import TikTokSource
from monitor.settings.sources.x import XSource
from monitor.settings.sources.youtube import YouTubeSource

KINDS: dict[str, type[SourceSection]] = {
    "bluesky": BlueskySource,
    "clinicaltrials": ClinicalTrialsSource,
    "feed": FeedSource,
    "folder": FolderSource,
    "gdelt": GdeltSource,
    "hackernews": HackerNewsSource,
    "instagram": InstagramSource,
    "lemmy": LemmySource,
    "mastodon": MastodonSource,
    "openfda": OpenFDASource,
    "pubmed": PubMedSource,
    "reddit": RedditSource,
    "tiktok": TikTokSource,
    "x": XSource,
    "youtube": YouTubeSource,
}

if TYPE_CHECKING:
    Source = SourceSection
else:
    _union = reduce(operator.or_, KINDS.values())
    Source = Annotated[_union, Field(discriminator="kind")] if len(KINDS) > 1 else _union

__all__ = ["KINDS", "BlueskySource", "FeedSource", "FolderSource", "MastodonSource", "RedditSource", "Source", "SourceSection"]
