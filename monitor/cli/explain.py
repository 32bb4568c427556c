"""`explain`: why a mention did or did not raise an alert."""

from __future__ import annotations

import asyncio
import shutil
import sys
import textwrap

import click

from monitor.cli.database import opened
from monitor.cli.group import cli, settings_of
from monitor.cli.kept_register import present_topic
from monitor.cli.output import plain, print_json
from monitor.explain import Explanation, Present, not_on_record
from monitor.explain import explain as explained
from monitor.settings import Settings
from monitor.store.facts import Facts, facts
from workers.readers import version_of

_MARGIN = 16  # characters before a sentence: whether the step was passed, and its name
_NARROWEST = 40


@cli.command(epilog="Example:  exowatch explain reddit:t3_abc123")
@click.argument("mention_id", metavar="MENTION_ID")
@click.option(
    "--format", "how", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print it."
)
@click.pass_context
def explain(context: click.Context, mention_id: str, how: str) -> None:
    """Say step by step why a mention did or did not raise an alert.

    Where the register's files cannot be read, the version that judges takes their place, and a line on stderr says so.
    """
    settings = settings_of(context)
    found = asyncio.run(_read(settings, mention_id))
    if found is None:
        raise click.ClickException(not_on_record(plain(mention_id)))
    topic = present_topic(context)
    present = Present(classifier=version_of(settings.classifier, topic), register=topic.register.version)
    explanation = explained(found, topic.keywords.where(found.mention.text or ""), present, settings)
    if how == "json":
        print_json(explanation)
    else:
        _print(explanation)


async def _read(settings: Settings, mention_id: str) -> Facts | None:
    async with opened(settings) as database, database.read() as connection:
        return await facts(connection, mention_id)


def _print(one: Explanation) -> None:
    print(plain(f"{one.mention_id}  {one.platform}:{one.platform_id}  {one.url or ''}") + "\n")
    width = max(shutil.get_terminal_size().columns - _MARGIN, _NARROWEST) if sys.stdout.isatty() else None
    for step in one.steps:
        sentence = plain(step.sentence)
        lines = textwrap.wrap(sentence, width) if width else [sentence]
        print(f"{step.passed:<4}{step.step:<{_MARGIN - 4}}{lines[0]}")
        for line in lines[1:]:
            print(" " * _MARGIN + line)
    print("\n" + plain(one.conclusion))
