"""What systemd is told of a service (`Type=notify`): that it is ready, that it stops, that it is alive. Silent elsewhere."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping


class Systemd:
    """The socket that systemd gave this process, if it did; `watchdog_s`: how soon it wants to hear of it again."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every_s = watchdog_s / 3
        self._said_at = 0.0

    @classmethod
    def of(cls, environment: MutableMapping[str, str] = os.environ) -> Systemd:
        """As the environment says; taken out of it, since the processes that this one starts are not the service."""
        address = environment.pop("NOTIFY_SOCKET", "")
        every, meant = environment.pop("WATCHDOG_USEC", "0"), environment.pop("WATCHDOG_PID", "")
        ours = address[:1] in ("/", "@") and meant in ("", str(os.getpid()))
        return cls(address if address[:1] in ("/", "@") else "", int(every) / 1e6 if ours and every.isdecimal() else 0.0)

    def ready(self) -> None:
        self._say("READY=1")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def alive(self) -> None:
        """Says so where that is wanted, as often as that is wanted; call it more often."""
        if self._every_s and time.monotonic() - self._said_at >= self._every_s:
            self._said_at = time.monotonic()
            self._say("WATCHDOG=1")

    def _say(self, what: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.setblocking(False)
                to.sendto(what.encode(), self._address)
        except OSError:
            pass  # systemd hears nothing then, and does as the unit says
