"""Looking for files that others than their owner may use."""

from __future__ import annotations

from pathlib import Path


def open_to_others(folder: Path) -> list[str]:
    """The files, sockets and folders below that others may read, write or look into."""
    modes = {path: path.lstat().st_mode & 0o777 for path in folder.rglob("*")}
    return [f"{path.relative_to(folder)} {mode:o}" for path, mode in modes.items() if mode & 0o077]
