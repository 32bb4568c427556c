"""The register that judges, for commands that only read: from the topic pack, or where its files are broken, from the record."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from monitor.cli.database import opened
from monitor.cli.group import settings_of
from monitor.cli.output import plain
from monitor.store import Connection, registers
from monitor.store.registers import RegisterVersion
from monitor.topic import Register, Topic, TopicError, load_topic, register_folder
from monitor.topic.register import load_register, parse_register

T = TypeVar("T")


def ask(context: click.Context, question: Callable[[Connection], Awaitable[T]]) -> T:
    """The database's answer."""

    async def answer() -> T:
        async with opened(settings_of(context)) as database, database.read() as connection:
            return await question(connection)

    return asyncio.run(answer())


def parsed(one: RegisterVersion) -> Register:
    """The register of a kept version. Raises ClickException where this program cannot read it any more."""
    try:
        return parse_register(one.files, Path(one.version))
    except TopicError as error:
        raise click.ClickException(f"version {one.version} cannot be read: {error}") from None


def present_register(context: click.Context) -> Register:
    """The register of the topic pack's files; where these cannot be read, the version that came into force last, and says so."""
    try:
        return load_register(register_folder(settings_of(context).topic_folder))
    except TopicError as error:
        kept = _kept(context, error)
        _say(kept, error)
        return kept


def present_topic(context: click.Context) -> Topic:
    """The topic pack, if need be with the register that came into force last. Raises TopicError where the rest is broken."""
    folder = settings_of(context).topic_folder
    try:
        return load_topic(folder)
    except TopicError as error:
        kept = _kept(context, error)
        topic = load_topic(folder, register=kept)
        _say(kept, error)
        return topic


def _kept(context: click.Context, error: TopicError) -> Register:
    found = ask(context, lambda connection: registers.versions(connection, 1))
    if not found:
        raise error
    return parsed(found[0])


def _say(kept: Register, error: TopicError) -> None:
    said = f"exowatch: the register's files cannot be used, so version {kept.version}, which judges, is taken: {error}"
    print(plain(said), file=sys.stderr)
