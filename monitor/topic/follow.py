"""Follows the files of a topic pack, so that what an editor saves holds without a restart."""

from __future__ import annotations

import os
from pathlib import Path

from monitor.topic import Topic, load_topic

# What the file system says of a file: a change of its content, its name or its place shows in one of these.
_State = dict[Path, tuple[int, int, int]]


class Follower:
    """Tells when the files of a pack, or the user's own watchlist, have changed since they were last loaded.

    Make it before that load.
    """

    def __init__(self, folder: Path, watchlist: Path | None = None) -> None:
        self._folder = folder
        self._watchlist = watchlist
        self._loaded = self._seen = self._state()
        self.settled = True  # False while the files are being written: then look again soon

    def look(self) -> Topic | None:
        """The pack anew where its files have changed, else None. Reads the disk: call it in a thread.

        Files that have changed since the last look too are still being written, and are left for the next one. Raises TopicError
        where the pack cannot be used, once for each state of its files.
        """
        state = self._state()
        self.settled, self._seen = state in (self._seen, self._loaded), state
        if state == self._loaded or not self.settled:
            return None
        self._loaded = state
        return load_topic(self._folder, self._watchlist)

    def _state(self) -> _State:
        return _state_of(self._folder) | (_stat_of(self._watchlist) if self._watchlist is not None else {})


def _state_of(folder: Path) -> _State:
    """The state of the pack's files; what editors lay beside them (`.x.swp`, `x~`) is none of them."""
    state: _State = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith(".") or name.endswith("~"):
                continue
            state |= _stat_of(Path(place, name))
    return state


def _stat_of(file: Path) -> _State:
    """The state of one file; nothing where it is not there (any more)."""
    try:
        found = file.stat()
    except OSError:
        return {}
    return {file: (found.st_mtime_ns, found.st_ctime_ns, found.st_size)}
