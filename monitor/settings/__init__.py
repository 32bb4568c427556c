"""What a user may set: typed, read from `config/monitor.toml` and the environment."""

from monitor.settings.load import SettingsError, load
from monitor.settings.model import (
    Alerts,
    Api,
    Classifier,
    Endpoint,
    Privacy,
    Redis,
    Settings,
    Store,
)
from monitor.settings.sources import FeedSource, RedditSource, Source

__all__ = [
    "Alerts",
    "Api",
    "Classifier",
    "Endpoint",
    "FeedSource",
    "Privacy",
    "RedditSource",
    "Redis",
    "Settings",
    "SettingsError",
    "Source",
    "Store",
    "load",
]
