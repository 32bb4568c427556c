"""What a user may set: typed, read from `config/monitor.toml` and the environment."""

from monitor.settings.endpoint import Endpoint
from monitor.settings.load import SettingsError, load
from monitor.settings.model import Alerts, Api, Classifier, Deliveries, Privacy, Redis, Settings, Store, Telemetry
from monitor.settings.sources import FeedSource, RedditSource, Source
from monitor.settings.tokens import SCOPES, Scope, Token, hash_of, new_token

__all__ = [
    "SCOPES",
    "Alerts",
    "Api",
    "Classifier",
    "Deliveries",
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
    "Telemetry",
    "Token",
    "hash_of",
    "load",
    "new_token",
]
