"""Settings of kind `feed`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from monitor.settings.sources.base import SourceSection
from monitor.settings.values import HttpUrl, UserAgent


class FeedSource(SourceSection):
    """A feed (RSS, Atom, JSON Feed). `platform` names where its entries come from; some sites answer certain user agents only.
    `websub`: let the feed's hub push, where it names one and `api.public_url` says how hubs reach this daemon."""

    kind: Literal["feed"]
    url: HttpUrl
    platform: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")] = "news"
    websub: bool = True
    user_agent: UserAgent = "exowatch/0.1 (public-health monitor of public posts)"
