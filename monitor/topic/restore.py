"""Puts an earlier state of the register back into its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from monitor.topic.errors import TopicError


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """The names of the files that were written and of those that were taken away; what they held lies beside them as `name~`."""

    written: tuple[str, ...]
    removed: tuple[str, ...]


def restore(folder: Path, files: Mapping[str, str]) -> Restored:
    """Makes the register files of the folder be these texts, by their names.

    Each takes its place in one go, once all are on the disk, so that nobody reads half of one. Where the folder cannot be
    written, nothing is changed. Raises TopicError.
    """
    for name in files:
        if Path(name).name != name or not name.endswith(".yaml"):
            raise TopicError(f"{name!r} is no name of a register file; a register file ends in .yaml and lies in {folder}")
    there = {file.name: file for file in sorted(folder.glob("*.yaml"))}
    different = sorted(name for name, text in files.items() if name not in there or _bytes(there[name]) != text.encode())
    removed = sorted(there.keys() - files.keys())
    prepared: dict[Path, Path] = {}
    try:
        for name in different:
            new = folder / f".{name}.new"
            prepared[new] = folder / name
            _write(new, files[name].encode(), like=there.get(name))
        for name in (*different, *removed):
            if name in there:
                _keep(there[name])
        for new, place in prepared.items():
            new.replace(place)
        for name in removed:
            there[name].unlink()
    except OSError as error:
        for new in prepared:
            _forget(new)
        raise TopicError(
            f"the register folder {folder} cannot be written ({error.strerror}); "
            "make it writable, or edit the pack where it comes from"
        ) from None
    return Restored(written=tuple(different), removed=tuple(removed))


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TopicError(f"{file}: cannot be read: {error.strerror}") from None


def _write(file: Path, content: bytes, like: Path | None) -> None:
    with file.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    file.chmod(like.stat().st_mode & 0o777 if like else 0o644)


def _keep(file: Path) -> None:
    """Keeps what a file holds beside it, as editors do."""
    beside = file.with_name(f"{file.name}~")
    beside.unlink(missing_ok=True)
    try:
        os.link(file, beside)
    except OSError:  # a file system without links
        beside.write_bytes(file.read_bytes())


def _forget(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError:  # the error that led here says it
        return
