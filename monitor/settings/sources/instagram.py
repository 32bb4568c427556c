"""Settings of kind `instagram`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from monitor.settings.sources.base import SourceSection
from monitor.settings.values import ApiKey, Interval


def _plain(hashtags: list[str]) -> list[str]:
    plain = [hashtag.removeprefix("#").casefold() for hashtag in hashtags]
    if twice := next((hashtag for hashtag in plain if plain.count(hashtag) > 1), None):
        raise ValueError(f"{twice!r} stands there twice")
    return plain


class InstagramSource(SourceSection):
    """Public pictures and videos with a hashtag. A professional account may ask for 30 different hashtags in seven days."""

    kind: Literal["instagram"]
    hashtags: Annotated[
        list[Annotated[str, Field(pattern=r"^#?\w{1,100}$")]], Field(min_length=1, max_length=30), AfterValidator(_plain)
    ]
    user_id: Annotated[str, Field(pattern=r"^[0-9]{1,32}$")] | None = None
    access_token: ApiKey | None = None
    interval: Interval = 3_600.0
    top: bool = True
    api_version: Annotated[str, Field(pattern=r"^(v[0-9]{1,3}\.[0-9]{1,2})?$")] = ""
