"""What differs between two states of the register, entry by entry."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from monitor.topic.register import Entry, Register


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """A field of an entry that differs, `verdict US` or `citation C-1`, as texts; None where it is not there."""

    field: str
    before: str | None
    now: str | None


class EntryChange(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that stands in both states and differs."""

    id: str
    fields: tuple[FieldChange, ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of entries that one state has more than the other, and what of the rest differs."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[EntryChange, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def difference(before: Register, now: Register) -> Difference:
    """What changed from one state of the register to another."""
    shared = sorted(before.entries.keys() & now.entries.keys())
    changes = ((one, tuple(_fields(before.entries[one], now.entries[one]))) for one in shared)
    return Difference(
        added=tuple(sorted(now.entries.keys() - before.entries.keys())),
        removed=tuple(sorted(before.entries.keys() - now.entries.keys())),
        changed=tuple(EntryChange(id=one, fields=fields) for one, fields in changes if fields),
    )


def _fields(before: Entry, now: Entry) -> Iterator[FieldChange]:
    yield from _parts("verdict ", before.verdicts, now.verdicts)
    for name in ("type", "claim", "as_of", "note"):
        yield from _parts("", {name: getattr(before, name)}, {name: getattr(now, name)})
    yield from _parts("only for ", before.scope, now.scope)
    yield from _parts("", {"clashes": before.clashes}, {"clashes": now.clashes})
    yield from _parts("citation ", _cited(before), _cited(now))


def _cited(entry: Entry) -> dict[str, Any]:
    return {one.id: [value for value in msgspec.structs.astuple(one)[1:] if value] for one in entry.citations}


def _parts(prefix: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[FieldChange]:
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            yield FieldChange(field=prefix + name, before=_text(before.get(name)), now=_text(now.get(name)))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str | int | dt.date):
        return None if value is None else str(value)
    values: Collection[Any] = value
    return ", ".join(str(_text(one)) for one in values)
