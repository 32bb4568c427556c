"""The data folder: one daemon at a time, and files that only their owner reads."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import socket
import time
from pathlib import Path

_LOCK_FILE = "daemon.lock"
_TRIES, _PAUSE_S = 30, 0.03
_MAX_SLOTS = 1_000
_KEY_BYTES = 64  # of a kept key, in hexadecimal


class DataDirError(Exception):
    """The data folder cannot be used; the text says why."""


class AlreadyRunning(DataDirError):  # noqa: N818 - a state, and named as one
    """Another daemon works on this data folder."""


class DataDirLock:
    """Held by the one daemon of a data folder for as long as it lives; the kernel lets go of it, whatever kills the daemon."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._file: int | None = None

    def acquire(self) -> None:
        """Makes the folder where it is missing. Raises AlreadyRunning, and DataDirError where the folder cannot be written."""
        file = _open(private_folder(self._data_dir) / _LOCK_FILE)
        # Whoever asks `held` holds the lock for a moment too, and a process that gives way to others for longer.
        for attempt in range(_TRIES):
            if _lock(file, fcntl.LOCK_EX):
                break
            if attempt == _TRIES - 1:
                pid = os.pread(file, 20, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(file)
                raise AlreadyRunning(
                    f"another exowatch daemon (pid {pid}) works on {self._data_dir}; stop it, or set another data_dir"
                )
            time.sleep(_PAUSE_S)
        self._file = file
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            self.release()
            raise DataDirError(f"{self._data_dir} cannot be written: {error.strerror}") from None

    def release(self) -> None:
        """Lets the next daemon in. The file stays, since removing it would let two hold a lock of the same name."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> DataDirLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @staticmethod
    def held(data_dir: Path) -> bool:
        """Whether a daemon works on this folder now."""
        try:
            file = os.open(data_dir / _LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not _lock(file, fcntl.LOCK_SH)
        finally:
            os.close(file)


class WorkerSlot:
    """A number that no other worker of this data folder has while it is held, and the consumer name that goes with it.

    The name is the same after a restart, so that a worker finds what it left; it differs between machines and data folders, so
    that workers that share a Redis never share a name.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "workers"
        self._file: int | None = None
        self.number = -1

    @property
    def name(self) -> str:
        """The consumer name."""
        mark = hashlib.blake2b(str(self._folder.resolve()).encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
        return f"{socket.gethostname()}-{mark}-{self.number}"

    def __enter__(self) -> WorkerSlot:
        """Takes the lowest free number. Raises DataDirError."""
        private_folder(self._folder)
        for number in range(_MAX_SLOTS):
            file = _open(self._folder / f"{number}.lock")
            if _lock(file, fcntl.LOCK_EX):
                self._file, self.number = file, number
                return self
            os.close(file)
        raise DataDirError(f"{_MAX_SLOTS} workers use {self._folder} already")

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class CollectorSlot:
    """The name under which a collector holds its leases, and which no other process has while it is held.

    It is the same after a restart, so that what was its own is at once its own again. It lies in the data folder itself: machines
    of the same name that share a Redis must not share it.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "collectors"
        self._file: int | None = None
        self.name = ""

    def __enter__(self) -> CollectorSlot:
        """Takes the first free name. Raises DataDirError."""
        private_folder(self._folder)
        for number in range(_MAX_SLOTS):
            file = _open(self._folder / f"{number}.lock")
            if _lock(file, fcntl.LOCK_EX):
                mark = os.pread(file, 100, 0).decode("ascii", "replace").strip()
                if not mark.isalnum():
                    mark = secrets.token_hex(8)
                    os.ftruncate(file, 0)
                    os.pwrite(file, f"{mark}\n".encode(), 0)
                self._file, self.name = file, f"{socket.gethostname()}-{mark}"
                return self
            os.close(file)
        raise DataDirError(f"{_MAX_SLOTS} collectors use {self._folder} already")

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def private_folder(path: Path) -> Path:
    """The folder, made for its owner alone where it is missing. Raises DataDirError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirError(f"the folder {path} cannot be made: {error.strerror}; set data_dir to one that can") from None
    return path


def kept_key(file: Path) -> bytes:
    """The key in the file, which is made where it is missing: whole or not at all, and once.

    Raises OSError where it cannot be read or made, ValueError where the file holds none.
    """
    if not file.exists():
        _make_key(file)
    key = file.read_bytes()
    if len(key.strip()) < _KEY_BYTES:
        raise ValueError(f"{file} holds no key")
    return key


def new_key() -> bytes:
    """A key that nobody can guess, in letters and digits."""
    return secrets.token_hex(_KEY_BYTES // 2).encode()


def write_key(file: Path, keys: bytes) -> None:
    """Writes a file that is not there yet, for its owner alone. Raises OSError."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(keys)
        out.flush()
        os.fsync(out.fileno())


def _make_key(file: Path) -> None:
    new = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        write_key(new, new_key())
        with contextlib.suppress(FileExistsError):  # another process was quicker: its key is the key
            os.link(new, file)
    finally:
        new.unlink(missing_ok=True)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirError(f"{path} cannot be written: {error.strerror}; set data_dir to a folder that can") from None


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
