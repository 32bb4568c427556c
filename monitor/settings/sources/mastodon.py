"""Settings of kind `mastodon`."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from monitor.settings.sources.base import SourceSection
from monitor.settings.values import ApiKey, Interval, Origin


def _server(value: str) -> str:
    if "@" in value:
        raise ValueError("a server is an origin without user or password, as in https://mastodon.social")
    return value


Server = Annotated[Origin, AfterValidator(_server)]
Hashtag = Annotated[str, Field(pattern=r"^\w{1,100}$")]


class MastodonSource(SourceSection):
    """Public posts with chosen hashtags, of several servers: by their timelines, and at once where there is an access token.

    `access_tokens`: a user's token for a server, by the server's host.
    """

    kind: Literal["mastodon"]
    servers: tuple[Server, ...] = Field(default=("https://mastodon.social",), min_length=1, max_length=20)
    hashtags: tuple[Hashtag, ...] = Field(min_length=1, max_length=20)
    access_tokens: dict[str, ApiKey] = {}
    transport: Literal["sse", "websocket"] = "sse"
    interval: Interval = 60.0

    @model_validator(mode="after")
    def _tokens_of_servers(self) -> MastodonSource:
        hosts = [urlsplit(server).netloc for server in self.servers]
        for host in self.access_tokens:
            if host not in hosts:
                raise ValueError(f"access_tokens names {host}, which is not among servers ({', '.join(hosts)})")
        return self

    def token_of(self, server: str) -> str:
        """The access token for a server, or nothing."""
        token = self.access_tokens.get(urlsplit(server).netloc)
        return token.get_secret_value() if token else ""
