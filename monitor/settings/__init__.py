"""What a user may set: typed, read from `config/monitor.toml` and the environment."""

from monitor.settings.load import SettingsError, load
from monitor.settings.model import (
    Alerts,
    Api,
    Classifier,
    Endpoint,
    FeedSource,
    Privacy,
    RedditSource,
    Redis,
    Settings,
    Source,
    Store,
)
from monitor.settings.tokens import SCOPES, Scope, Token, hash_of, new_token

__all__ = [
    "SCOPES",
    "Alerts",
    "Api",
    "Classifier",
    "Endpoint",
    "FeedSource",
    "Privacy",
    "RedditSource",
    "Redis",
    "Scope",
    "Settings",
    "SettingsError",
    "Source",
    "Store",
    "Token",
    "hash_of",
    "load",
    "new_token",
]
