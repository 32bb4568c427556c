"""Settings of kind `reddit`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from monitor.settings.sources.base import SourceSection
from monitor.settings.values import Interval, Secret, UserAgent


class RedditSource(SourceSection):
    """New posts and comments of chosen subreddits: by the API with credentials, by Reddit's public feeds without."""

    kind: Literal["reddit"]
    subreddits: Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{2,32}$")]], Field(min_length=1, max_length=100)]
    interval: Interval = 60.0
    client_id: Secret | None = None
    client_secret: Secret | None = None
    user_agent: UserAgent = "linux:exowatch:1 (public-health monitor)"  # Reddit wants "<platform>:<app>:<version> (by /u/<you>)"

    @model_validator(mode="after")
    def _both_or_neither(self) -> RedditSource:
        if (self.client_id is None) != (self.client_secret is None):
            raise ValueError("client_id and client_secret go together; without both, the public feeds are read")
        return self
