"""What the settings of every kind of source share."""

from __future__ import annotations

from monitor.settings.section import Section
from monitor.settings.values import Interval, Name, Origin


class SourceSection(Section):
    """One `[[source]]`. Each kind sets `kind` to a Literal of its name, and `interval` to its own default.

    `interval`: seconds between two polls; a streamed source waits so long, at first, before it connects again.
    `base_url`: an origin that replaces all hosts of the kind.
    """

    name: Name
    kind: str
    interval: Interval = 300.0
    base_url: Origin | None = None
