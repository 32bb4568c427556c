"""All that a process does that collects: its sources, and what goes with them, each while its lease is this process'."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

from monitor import retention
from monitor.collectors import open_collector
from monitor.collectors.budget import Budgets
from monitor.collectors.run import SourceWatch
from monitor.collectors.websub import keep_subscribed
from monitor.intake import Intake
from monitor.leasing import DUTY, Lease, Leaseholder
from monitor.pause import until
from monitor.settings import Settings, Source
from monitor.settings.duties import duty_of
from monitor.store import Database, sources
from monitor.stream import Stream
from monitor.topic import Topic

Job = Callable[[], Awaitable[None]]


class Collecting:
    """The role on open connections. `owner`: the process' name among those that collect; `topic` gives the pack of the moment."""

    def __init__(
        self, settings: Settings, stream: Stream, database: Database, intake: Intake, topic: Callable[[], Topic], owner: str
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._database = database
        self._intake = intake
        self._topic = topic
        self._leases = Leaseholder(stream, owner)
        self._watches: dict[str, SourceWatch] = {}
        stream.owner = owner  # from now on no cursor moves of a source that another process has

    async def jobs(self, stop: asyncio.Event) -> dict[str, Job]:
        """What runs side by side, by name, until `stop` is set. Raises StoreError."""
        configured = {source.name: source.kind for source in self._settings.source}
        async with self._database.write() as connection:
            await sources.configured(connection, configured)
        jobs: dict[str, Job] = {"hold leases": partial(self._leases.run, stop)}
        for source in self._settings.source:
            jobs[f"collect {source.name}"] = partial(self._leases.while_held, source.name, partial(self._collect, source), stop)
        pushed = set(configured) if self._settings.api.public_url else set()
        duties = {
            "keep texts no longer than they may be": partial(
                retention.keep, self._settings, self._database, self._intake.pseudonyms
            ),
            "keep subscribed at hubs": partial(keep_subscribed, self._database, pushed),
        }
        for name, duty in duties.items():
            jobs[name] = partial(self._leases.while_held, DUTY + name, partial(_under_lease, duty), stop)
        if pushed:
            jobs["wake collectors"] = lambda: until(stop, self._wake())
        return jobs

    async def _collect(self, source: Source, lease: Lease, stop: asyncio.Event) -> None:
        watch = SourceWatch(
            source,
            open_collector(source, Budgets(self._stream.buckets), self._topic),
            self._stream,
            self._intake,
            self._database,
            max_age_s=self._settings.alerts.max_age,
            endpoints=self._settings.endpoint,
            duty=duty_of(source.kind, self._settings.store.retain_text),
            public_url=self._settings.api.public_url,
            lease=lease,
        )
        self._watches[source.name] = watch
        try:
            with watch.pulse:
                await watch.run(stop)
        finally:
            del self._watches[source.name]

    async def _wake(self) -> None:
        """Reads at once what a hub pushed. All that collect hear of it; whoever has the source wakes it."""
        async with contextlib.aclosing(self._stream.signals()) as signals:
            async for event in signals:
                if event.kind == "push" and event.id in self._watches:
                    self._watches[event.id].wake()


async def _under_lease(duty: Callable[[asyncio.Event], Awaitable[None]], _: Lease, stop: asyncio.Event) -> None:
    await duty(stop)
