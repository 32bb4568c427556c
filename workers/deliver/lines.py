"""The lines to one endpoint: so many attempts at a time, and what waits in this process for a line to be free."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

import structlog

from monitor.events import Event
from monitor.ids import public_id
from monitor.store.deliveries import Due

log = structlog.get_logger()

Job = tuple[Due, Event | None]


class Lines:
    """Makes attempts, `most` at a time, in the order in which they were added.

    A line is a task that goes on as long as something waits. A task for each delivery would cost more than to sign it.
    """

    def __init__(self, most: int, attempt: Callable[[Due, Event | None], Awaitable[None]], done: Callable[[], None]) -> None:
        self.most = most
        self._attempt = attempt
        self._done = done  # called after each attempt
        self._waiting: deque[Job] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flying = 0

    @property
    def in_hand(self) -> int:
        """How many wait or are in flight."""
        return len(self._waiting) + self._flying

    def add(self, jobs: Iterable[Job]) -> None:
        """Makes these attempts as soon as there is a line for them."""
        self._waiting.extend(jobs)
        for _ in range(min(self.most - len(self._tasks), len(self._waiting))):
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def take_back(self) -> list[Due]:
        """What waits is not sent: it is the caller's again."""
        back = [due for due, _ in self._waiting]
        self._waiting.clear()
        return back

    async def idle(self) -> None:
        """Returns when nothing waits and nothing is in flight."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel(self) -> None:
        """Ends what is in flight, and what waits is not sent."""
        self._waiting.clear()
        late = tuple(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            due, event = self._waiting.popleft()
            self._flying += 1
            try:
                await self._attempt(due, event)
            except Exception as error:  # a bug; the others must go out all the same, and this one when its lease is over
                log.error("an attempt broke off", delivery=public_id("d", due.id), exc_info=error)
            finally:
                self._flying -= 1
            self._done()
