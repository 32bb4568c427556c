"""Which way leads to an endpoint, by its kind."""

from __future__ import annotations

from monitor.settings.endpoint import Endpoint
from workers.deliver import apprise, webhook
from workers.deliver.apprise import Apprise
from workers.deliver.queue import Channel
from workers.deliver.webhook import TIMEOUT_S, Webhook


def open_channel(endpoint: Endpoint, *, connections: int, timeout_s: float = TIMEOUT_S) -> Channel:
    """The way to one endpoint, with `connections` of its own at most."""
    if endpoint.kind == "apprise":
        return Apprise(endpoint, timeout_s=timeout_s)
    return Webhook(endpoint, connections=connections, timeout_s=timeout_s)


def url_problem(endpoint: Endpoint) -> str | None:
    """Why nothing may be sent to this address, whatever it resolves to; None where it may, or only a try can say."""
    return webhook.url_problem(endpoint) if endpoint.kind == "webhook" else apprise.url_problem(endpoint)
