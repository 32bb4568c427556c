"""What the handlers work with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from monitor.explain import Present
from monitor.intake import Intake
from monitor.readiness import Trouble
from monitor.settings import Settings
from monitor.store import Database
from monitor.stream import Stream
from monitor.topic.register import Register

# Says what is wrong with which parts now; nothing where all is well.
Readiness = Callable[[], Awaitable[Sequence[Trouble]]]
# Says by which versions of classifier and register posts are judged now.
Presently = Callable[[], Awaitable[Present]]
# The jurisdictions of the authorities that propositions of the present lexicon name, by key.
Authorities = Callable[[], Mapping[str, str]]
# The evidence register that holds now.
RegisterNow = Callable[[], Register]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of the daemon that HTTP stands on; `role` is this process's; `closing` is set when the server shuts down."""

    settings: Settings
    database: Database
    stream: Stream
    intake: Intake
    ready: Readiness
    present: Presently
    authorities: Authorities
    register: RegisterNow
    role: str
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def locked(self) -> bool:
        """Whether requests must show a token."""
        return self.settings.locked


PARTS = web.AppKey("parts", Parts)
