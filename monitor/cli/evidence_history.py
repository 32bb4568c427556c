"""`evidence history`, `diff` and `rollback`: the states of the register that judged something."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from monitor.cli.evidence import evidence
from monitor.cli.group import settings_of
from monitor.cli.kept_register import ask, parsed, present_register
from monitor.cli.output import Column, plain, print_json, print_page, short_time
from monitor.store import registers
from monitor.store.registers import RegisterVersion, UnknownVersionError
from monitor.times import rfc3339
from monitor.topic import Register, TopicError, load_topic, register_folder
from monitor.topic.difference import Difference, difference
from monitor.topic.register import load_register
from monitor.topic.restore import restore
from monitor.words import Page

_how = click.option(
    "--format", "how", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print it."
)


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it is listed: when it came into force, when all claims on record had been held against it, and what differs
    from the one before it."""

    version: str
    at: str
    held: str | None
    entries: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@evidence.command("history", epilog="Example:  exowatch evidence history --limit 5")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many versions, the newest first.")
@_how
@click.pass_context
def history(context: click.Context, limit: int, how: Any) -> None:
    """List the versions of the register that judged posts, the newest first, and what each changed."""
    versions = ask(context, lambda connection: registers.versions(connection, limit + 1))
    read = [parsed(one) for one in versions]
    lines = [_line(one, register, before) for one, register, before in zip(versions, read, [*read[1:], None], strict=True)]
    columns = (
        Column("since", lambda one: short_time(one.at)),
        Column("claims held", lambda one: "not all" if one.held is None else short_time(one.held)),
        Column("version", lambda one: one.version),
        Column("entries", lambda one: one.entries),
        Column("added", lambda one: _counted(one.added)),
        Column("removed", lambda one: _counted(one.removed)),
        Column("changed", lambda one: _counted(one.changed), long=True),
    )
    print_page(Page(items=lines[:limit], next=None), columns, how)
    if not lines:
        print("No version is kept yet; `exowatch run` keeps each that it judges by.", file=sys.stderr)


@evidence.command("diff", epilog="Example:  exowatch evidence diff 3f2a9c01b7de 5b1e6d20aa43")
@click.argument("before", metavar="VERSION")
@click.argument("now", metavar="[VERSION]", required=False)
@_how
@click.pass_context
def diff(context: click.Context, before: str, now: str | None, how: str) -> None:
    """Show what differs between two versions of the register; with one VERSION, between it and the files of the topic pack.

    Where these cannot be read, the version that judges takes their place, and a line on stderr says so.
    The beginning of a version is enough where no other begins so.
    """
    first = parsed(_version(context, before))
    second = parsed(_version(context, now)) if now is not None else present_register(context)
    found = difference(first, second)
    if how == "json":
        print_json({"before": first.version, "now": second.version, **msgspec.structs.asdict(found)})
        return
    _print(found)
    if not found:
        print("The same entries.")


@evidence.command("rollback", epilog="Example:  exowatch evidence rollback 3f2a9c01b7de")
@click.argument("version", metavar="VERSION")
@click.pass_context
def rollback(context: click.Context, version: str) -> None:
    """Put the files of an earlier VERSION back into the topic pack, and say what that changed.

    A running daemon takes them up within seconds, judges by them, and tells where a verdict of a claim on record changes. What
    the files held lies beside them under their names with a ~.
    """
    settings = settings_of(context)
    kept = _version(context, version)
    earlier = parsed(kept)
    folder = register_folder(settings.topic_folder)
    try:
        load_topic(settings.topic_folder, register=earlier)
    except TopicError as error:
        raise click.ClickException(f"version {kept.version} does not go with the pack as it is: {error}") from None
    try:
        present: Register | None = load_register(folder)
    except TopicError:  # it may be just what is to be mended
        present = None
    done = restore(folder, kept.files)
    for name in done.written:
        print(f"wrote {plain(str(folder / name))}")
    for name in done.removed:
        print(f"took away {plain(str(folder / name))}")
    if present is not None:
        _print(difference(present, earlier))
    if not done.written and not done.removed:
        print(f"The files are those of version {kept.version} already.")


def _line(one: RegisterVersion, register: Register, before: Register | None) -> _Line:
    found = difference(before, register) if before is not None else None
    return _Line(
        version=one.version,
        at=rfc3339(one.at_ms),
        held=rfc3339(one.held_ms),
        entries=len(register),
        added=found.added if found else (),
        removed=found.removed if found else (),
        changed=tuple(change.id for change in found.changed) if found else (),
    )


def _counted(ids: tuple[str, ...]) -> str:
    if not ids:
        return ""
    shown = ", ".join(ids[:3])
    return f"{len(ids)}: {shown}{', …' if len(ids) > 3 else ''}"


def _print(found: Difference) -> None:
    for one in found.removed:
        print(plain(f"removed {one}"))
    for one in found.added:
        print(plain(f"added {one}"))
    for change in found.changed:
        print(plain(f"changed {change.id}"))
        for field in change.fields:
            print("  " + plain(f"{field.field}: {_shown(field.before)} -> {_shown(field.now)}"))


def _shown(value: str | None) -> str:
    return "nothing" if value is None else value or "empty"


def _version(context: click.Context, name: str) -> RegisterVersion:
    try:
        return ask(context, lambda connection: registers.find(connection, name))
    except UnknownVersionError as error:
        raise click.ClickException(plain(str(error))) from None
