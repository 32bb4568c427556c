"""How long a message is as a service sends it: its signs escaped, its format that of the service, its title where that stands.

Apprise is asked itself: it prepares the message as for sending, and what it would hand to the service's `send` is counted.
"""

from __future__ import annotations

from typing import Any

import apprise

from workers.deliver.message import Room, units

# Smaller than what Apprise says: a section and a header of Slack's blocks.
_SMALLER = {"slack": (150, 3_000)}
_JOINT = 2  # what Apprise puts between a title and the text below it


class AsSent:
    """One service, ready to send to, and what it takes."""

    def __init__(self, service: Any, asset: apprise.AppriseAsset) -> None:
        # As it is: what is too long is cut here, where it is known what must stay.
        service.overflow_mode = apprise.OverflowMode.UPSTREAM
        self._service = service
        self._sending = apprise.Apprise(asset=asset)
        self._sending.add(service)
        self._with_title = bool(service.overflow_amalgamate_title)

    def room(self) -> Room:
        """What a message may take."""
        service = self._service
        title, body = int(service.title_maxlen), int(service.body_maxlen)
        most_title, most_body = _SMALLER.get(type(service).__name__.removeprefix("Notify").lower(), (title, body))
        title = 0 if self._with_title else max(0, min(title, most_title))
        return Room(title=title, body=min(body, most_body), lines=max(0, int(service.body_max_line_count)), cost=self.cost)

    def cost(self, title: str, body: str) -> int:
        """What the two take of the room for the body."""
        sent: list[dict[str, Any]] = []

        def count(**arguments: Any) -> bool:
            sent.append(arguments)
            return True

        self._service.send = count
        try:
            self.send(title, body)
        finally:
            del self._service.send
        taken = sum(units(str(one.get("body") or "")) for one in sent)
        if self._with_title:  # which the service escapes when it sends
            taken += max(units(str(self._service.dialect_convert(title))), units(title)) + _JOINT
        return taken

    def send(self, title: str, body: str) -> bool:
        """Sends a message of plain text; whether it was taken."""
        return bool(self._sending.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT))
