"""What one connection to Jetstream brings, gathered into batches: in the right order, and with what is surely covered."""

from __future__ import annotations

import aiohttp
import msgspec
import structlog

from monitor.collectors import bluesky_frames as frames
from monitor.collectors.base import Batch, Gap, SourceError, Span
from monitor.collectors.bluesky_frames import PLATFORM, Event, Notice
from monitor.collectors.bluesky_zstd import FrameError, Unpacker
from monitor.notices import Gone
from monitor.times import now_ms
from monitor.words import Post

BATCH = 500  # events
MOST_FRAME = 16 * 1024 * 1024  # bytes; a record is at most one megabyte, and six times that as escaped JSON
UNREADABLE = 200  # frames in a row until it counts as another protocol
REMEMBERED = 5_000  # edits and deletions, against what comes out of order
_ENDED = frozenset((aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR))
_log = structlog.get_logger()


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last event that is safe: the number that `host` gave it, and its time in microseconds since 1970."""

    host: str = ""
    seq: int | None = None
    us: int = 0


class ElsewhereError(Exception):
    """The number of an event means another place here."""


class Order:
    """Which edits and deletions came lately, so that what comes after them and is older is left out."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, bool]] = {}

    def is_stale(self, event: Event) -> bool:
        """Whether something later about the same post came already. The same event once more is not: it may have been lost."""
        last = self._last.get(event.uri)
        if last is not None:
            rev, gone = last
            if event.rev < rev or (event.rev == rev and gone and event.post is not None):
                return True
        if event.gone or event.edited:
            self._last.pop(event.uri, None)
            self._last[event.uri] = (event.rev, event.gone)
            if len(self._last) > REMEMBERED:
                del self._last[next(iter(self._last))]
        return False


class Reading:
    """One connection. `by_number`: it goes on at the number of `since`; else by its time, or where there is none from now on."""

    def __init__(
        self, *, source: str, host: str, since: Cursor, by_number: bool, unpacker: Unpacker | None, order: Order
    ) -> None:
        self._source = source
        self._host = host
        self._since = since
        self._by_number = by_number
        self._unpacker = unpacker
        self._order = order
        self._posts: list[Post] = []
        self._gone: dict[str, Gone] = {}  # by uri or did
        self._held: list[Event] = []  # for the batch after this one
        self._events = 0
        self._last: Event | None = None
        self._placed = False  # whether it is known where the connection began
        self._gap: Gap | None = None
        self._from: int | None = None  # ms; where coverage begins, if not where it ended
        self._until: int | None = None
        self._quiet_since: int | None = None
        self._pinged = False
        self._outdated = False
        self._unreadable = 0
        self.fatal = ""

    @property
    def begun(self) -> bool:
        """Whether there is anything to tell, be it a sign of life."""
        return self._events > 0 or self._pinged

    @property
    def full(self) -> bool:
        """Whether the batch should go now."""
        return self._events >= BATCH or self._pinged or bool(self._held)

    def take(self, message: aiohttp.WSMessage) -> bool:
        """Takes a message; whether it was the last. Raises SourceError, ElsewhereError."""
        if message.type is aiohttp.WSMsgType.BINARY or message.type is aiohttp.WSMsgType.TEXT:
            return self._take_frame(message.data)
        if message.type is aiohttp.WSMsgType.PING:
            self._take_ping()
        return message.type in _ENDED

    def batch(self) -> Batch:
        """What came since the last batch."""
        last, covered = self._last, None
        if self._until is not None:
            covered = Span(since=self._from, until=self._until)
        batch = Batch(
            posts=self._posts,
            deleted=list(self._gone.values()),
            cursor=msgspec.json.encode(Cursor(self._host, last.seq, last.us)).decode() if last else None,
            covered=covered,
            gap=self._gap,
        )
        self._posts, self._gone, self._events, self._pinged, self._last = [], {}, 0, False, None
        self._gap = self._from = self._until = None
        held, self._held = self._held, []
        for event in held:
            self._take_event(event)
        return batch

    def _take_frame(self, data: bytes | str) -> bool:
        try:
            if self._unpacker is not None and isinstance(data, bytes):
                data = self._unpacker.unpack(data, MOST_FRAME)
            read = frames.read(data, self._source)
        except FrameError as error:
            _log.warning("frame left out", source=self._source, error=str(error))
            read = None
        if isinstance(read, Event):
            self._unreadable = 0
            self._take_event(read)
        elif isinstance(read, Notice):
            return self._take_notice(read)
        else:
            self._unreadable += 1
            if self._unreadable >= UNREADABLE:
                raise SourceError("Jetstream speaks a form that exowatch does not know; if this lasts, exowatch needs an update")
        return False

    def _take_notice(self, notice: Notice) -> bool:
        if notice.fatal:
            self.fatal = notice.name
        elif notice.name == "FutureCursor" and self._by_number:
            raise ElsewhereError
        elif notice.name == "OutdatedCursor":
            self._outdated = True
        return notice.fatal

    def _take_ping(self) -> None:
        """A server that only pings has nothing to say: what lies before the ping before is covered."""
        if self._quiet_since is not None and (self._placed or not self._since.us):
            if not self._placed:
                self._placed, self._from = True, self._quiet_since
            self._until = max(self._until or 0, self._quiet_since)
        self._quiet_since, self._pinged = now_ms(), True

    def _take_event(self, event: Event) -> None:
        if not self._placed:
            self._place(event)
        name = event.did if event.closed else event.uri
        if event.post is not None and (name in self._gone or event.did in self._gone):
            self._held.append(event)  # made again after it was deleted, and deletions come last in a batch
            return
        self._quiet_since = None
        self._events += 1
        self._last = event
        self._until = max(self._until or 0, event.us // 1000)
        if event.closed:
            self._gone[name] = Gone(platform=PLATFORM, author=event.did, prefix=f"at://{event.did}/")
        elif event.uri and not self._order.is_stale(event):
            if event.post is not None:
                self._posts.append(event.post)
            elif event.gone:
                self._gone[name] = Gone(platform=PLATFORM, post=event.uri)

    def _place(self, first: Event) -> None:
        """Checks where the connection began, by its first event. Raises ElsewhereError."""
        since = self._since
        if not since.us:
            self._from = first.us // 1000
        elif first.us > since.us:  # it does not reach back to what is safe
            if self._by_number:  # the number is inclusive: where it means the same, the event itself comes again
                raise ElsewhereError
            why = "the server keeps no more" if self._outdated else "the stream begins after where it was left"
            self._gap = Gap(cause=f"{why}; Jetstream goes back about 36 hours", until=first.us // 1000)
            _log.warning("possible gap", source=self._source, missing_s=(first.us - since.us) // 1_000_000)
        self._placed = True
