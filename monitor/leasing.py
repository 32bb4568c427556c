"""Does things for as long as this process holds the leases of them, and lets go in time where it cannot renew them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from monitor.pause import either, pause
from monitor.stream import Stream, StreamUnavailable

log = structlog.get_logger()

DUTY = "@"  # begins what is no source's name
EVERY_S = 1.0
# After so long without a word from Redis a process gives up what it held: sooner than another can have it (LEASE_MS).
SAFE_S = 8.0

Work = Callable[["Lease", asyncio.Event], Awaitable[None]]


class Lease:
    """What one process wants to do alone. `idle_s`: for how long nobody did it before; None: nobody ever did."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken = asyncio.Event()
        self.over = asyncio.Event()  # lost, or asked for by another: to be given back
        self.lost = False
        self.safe_until = 0.0  # by the loop's clock
        self.idle_s: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it is ours now, also where a paused process has not come to hear that it is not."""
        return self.taken.is_set() and not self.lost and asyncio.get_running_loop().time() < self.safe_until

    def lose(self) -> None:
        self.lost = True
        self.over.set()


class Leaseholder:
    """The leases of one process. `owner` is its name in Redis: nobody else's at the same time, and the same after a restart."""

    def __init__(self, stream: Stream, owner: str) -> None:
        self._stream = stream
        self._owner = owner
        self._leases: dict[str, Lease] = {}
        self._nudge = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()  # or what is given back could be renewed by a call that was made before
        self._cut_off: asyncio.TimerHandle | None = None
        self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Takes and renews until told to stop and all is given back."""
        try:
            while self._leases or not stop.is_set():
                self._nudge.clear()
                await self._hold()
                async with either(self._nudge, *(() if stop.is_set() else (stop,))) as woken:
                    await pause(woken, EVERY_S)
        finally:
            self._give_up()

    async def while_held(self, name: str, work: Work, stop: asyncio.Event) -> None:
        """Does the work whenever the lease is ours, until told to stop. `work` gets the lease and what tells it to end."""
        while not stop.is_set():
            lease = self._leases[name] = Lease(name)
            self._nudge.set()
            try:
                async with either(stop, lease.taken) as woken:
                    await woken.wait()
                if lease.taken.is_set():
                    async with either(stop, lease.over) as over:
                        await work(lease, over)
                        await over.wait()  # what has ended for good is nobody else's to try
            finally:
                await self._give_back(lease)
                self._nudge.set()

    async def _hold(self) -> None:
        async with self._one_at_a_time:
            wanted = {name: lease for name, lease in self._leases.items() if not lease.lost}
            asked = asyncio.get_running_loop().time()
            try:
                found = await self._stream.leases.hold(self._owner, list(wanted))
            except StreamUnavailable as error:
                if not self._away:
                    log.warning("leases cannot be renewed", error=str(error), given_up_after_s=SAFE_S)
                self._away = True
                return
            self._away = False
            for name, lease in wanted.items():
                held = found[name]
                if held.ours:
                    lease.safe_until = asked + SAFE_S
                if held.ours and not lease.taken.is_set():
                    lease.idle_s = held.idle_s
                    lease.taken.set()
                    _say(name, "taken")
                elif lease.taken.is_set() and not held.ours:
                    _say(name, "lost to another process")
                    lease.lose()
                elif held.asked and not lease.over.is_set():
                    _say(name, "asked for by another process")
                    lease.over.set()
            if self._cut_off is not None:
                self._cut_off.cancel()
            self._cut_off = asyncio.get_running_loop().call_at(asked + SAFE_S, self._give_up)

    def _give_up(self) -> None:
        """Ends all that was held, without a word to Redis."""
        held = [lease for lease in self._leases.values() if lease.taken.is_set() and not lease.lost]
        if held:
            log.warning("leases were not renewed in time", after_s=SAFE_S)
        for lease in held:
            _say(lease.name, "given up")
            lease.lose()

    async def _give_back(self, lease: Lease) -> None:
        async with self._one_at_a_time:
            if self._leases.get(lease.name) is lease:
                del self._leases[lease.name]
            if not lease.taken.is_set() or lease.lost:
                return
            try:
                await self._stream.leases.release(self._owner, [lease.name])
                _say(lease.name, "given back")
            except StreamUnavailable as error:
                log.warning("a lease was not given back and runs out by itself", lease=lease.name, error=str(error))


def _say(name: str, what: str) -> None:
    kind = "duty" if name.startswith(DUTY) else "source"
    log.info(f"{kind} {what}", **{kind: name.removeprefix(DUTY)})
