"""`evidence`: the register that verdicts come from."""

from __future__ import annotations

import sys

import click

from monitor.cli.group import Commands, cli, settings_of
from monitor.cli.output import Column, Format, format_option, plain, print_json, print_page
from monitor.topic import Citation, Register, load_topic
from monitor.topic.register import FROM_MEMORY
from monitor.words import CLAIM_TYPES, Page


@cli.group(cls=Commands, epilog="Example:  exowatch evidence list --type safety")
def evidence() -> None:
    """The evidence register: list it, show one entry, check it."""


def _register(context: click.Context) -> Register:
    return load_topic(settings_of(context).topic_folder).register


@evidence.command("list", epilog="Example:  exowatch evidence list --type regulatory_status --format csv")
@click.option("--type", "types", multiple=True, type=click.Choice(CLAIM_TYPES), help="Only entries of this type.")
@format_option
@click.pass_context
def list_entries(context: click.Context, types: tuple[str, ...], how: Format) -> None:
    """List the entries."""
    entries = [entry for entry in _register(context).entries.values() if not types or entry.type in types]
    columns = (
        Column("id", lambda one: one.id),
        Column("type", lambda one: one.type),
        Column("verdicts", lambda one: ", ".join(f"{place} {verdict}" for place, verdict in one.verdicts.items())),
        Column("as of", lambda one: one.as_of),
        Column("sources", lambda one: len(one.citations)),
        Column("claim", lambda one: one.claim, long=True),
    )
    print_page(Page(items=entries, next=None), columns, how)


@evidence.command("show", epilog="Example:  exowatch evidence show fda-approved --format json")
@click.argument("entry_id", metavar="ID")
@click.option(
    "--format", "how", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print it."
)
@click.pass_context
def show(context: click.Context, entry_id: str, how: str) -> None:
    """Show one entry with its citations."""
    entry = _register(context).get(entry_id)
    if entry is None:
        raise click.ClickException(f"there is no entry {plain(entry_id)} in the register; `exowatch evidence list` lists them")
    if how == "json":
        print_json(entry)
        return
    print(plain(entry.claim))
    print(f"{entry.id}  {entry.type}  as of {entry.as_of}")
    for place, verdict in entry.verdicts.items():
        print(plain(f"{place}: {verdict}"))
    for name, values in entry.scope.items():
        print(plain(f"only for {name}: {', '.join(values)}"))
    if entry.clashes:
        print(plain(f"cannot hold beside: {', '.join(entry.clashes)}"))
    if entry.note:
        print(plain(f"Note: {entry.note}"))
    print("\nCitations")
    for citation in entry.citations:
        print(plain(f"- [{citation.id}] {citation.citation} ({_kind_of(citation)})"))
        for address in filter(None, (citation.url, *citation.also)):
            print(f"  {plain(address)}")


def _kind_of(citation: Citation) -> str:
    parts = [citation.kind, f"n={citation.n}" if citation.n is not None else "", str(citation.year or "")]
    return ", ".join(filter(None, [*parts, citation.mark if citation.mark == FROM_MEMORY else ""]))


@evidence.command("check", epilog="Example:  exowatch evidence check")
@click.pass_context
def check(context: click.Context) -> int:
    """Check the register: missing citations, unknown verdicts, entries that clash; and name those whose record is old.

    Exit status 1 where something is wrong. An old record is not: it holds until somebody finds a newer one. Nor is a
    citation from memory, which wants to be looked up, nor a loose end, such as an entry that no claim of the lexicon names.
    """
    topic = load_topic(settings_of(context).topic_folder)
    register = topic.register
    problems, stale, unchecked = register.check(), register.stale(), register.unchecked()
    loose = register.loose_ends([*topic.lexicon.propositions.values(), *topic.lexicon.particulars.values()])
    for problem in problems:
        print(f"exowatch: {plain(problem)}", file=sys.stderr)
    for line in (*stale, *unchecked, *loose):
        print(plain(line))
    counts = f"{len(problems)} problems, {len(stale)} with an old record, {len(unchecked)} citations to be checked"
    print(f"{len(register)} entries, version {register.version}: {counts}, {len(loose)} loose ends")
    return 1 if problems else 0
