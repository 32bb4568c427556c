"""What endpoints are told of sources: that one is down, silent, or well again. Each once for each time that it is so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from monitor.settings.model import Endpoint
from monitor.store.outbox import AlertDraft
from monitor.store.recipients import recipients
from monitor.words import SourceStatus

_Kind = Literal["source.down", "source.silent", "source.recovered"]


def down(status: SourceStatus, since: int, endpoints: Sequence[Endpoint]) -> AlertDraft:
    """That a source has failed, since a time (ms), for longer than it is given."""
    said = f"The source {status.name} is {'off' if status.state == 'off' else 'down'}: {(status.last_error or '').rstrip('.')}."
    return _draft("source.down", status, since, said, endpoints)


def silent(status: SourceStatus, since: int, now: int, endpoints: Sequence[Endpoint]) -> AlertDraft:
    """That nothing was heard of a source since a time (ms), although it answers and usually speaks."""
    said = f"The source {status.name} is silent: it answers, but nothing new was there for {_long((now - since) / 1000)}."
    return _draft("source.silent", status, since, said, endpoints)


def recovered(status: SourceStatus, what: str, since: int | None, now: int, endpoints: Sequence[Endpoint]) -> AlertDraft:
    """That a source which was `what` (down or silent) since a time (ms) is so no more."""
    began = now if since is None else since
    said = f"The source {status.name} is back: it was {what} for {_long((now - began) / 1000)}."
    return _draft("source.recovered", status, began, said, endpoints, f":{what}")


def _draft(
    kind: _Kind, status: SourceStatus, since: int, summary: str, endpoints: Sequence[Endpoint], more: str = ""
) -> AlertDraft:
    return AlertDraft(
        kind=kind,
        dedupe_key=f"{kind}:{status.name}:{since}{more}",
        summary=summary,
        recipients=recipients(endpoints, kind, None, None),
        subject={"source": msgspec.to_builtins(status)},
    )


def _long(seconds: float) -> str:
    """A length of time in its largest whole unit."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            number = round(seconds / size)
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "less than a minute"
