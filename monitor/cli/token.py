"""`token`: named tokens for the API."""

from __future__ import annotations

import re

import click

from monitor.cli.group import Commands, cli
from monitor.settings import SCOPES, Scope, hash_of, new_token
from monitor.settings.tokens import OWN_NAME

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@cli.group(cls=Commands, epilog="Example:  exowatch token new case-desk --scope read --scope review")
def token() -> None:
    """Named tokens for the API: each with what it may do, and none kept in the clear."""


@token.command("new", epilog="Example:  exowatch token new case-desk --scope review")
@click.argument("name", metavar="NAME")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="What it may: read; review, which also reads; admin, which may do all.",
)
@click.pass_context
def new(context: click.Context, name: str, scopes: tuple[Scope, ...]) -> None:
    """Make a token. It is shown this once; what is kept is its hash, in the lines for the config file."""
    if not _NAME.fullmatch(name) or name == OWN_NAME:
        raise click.UsageError(
            f"a token's name has 1 to 64 letters, digits, '.', '_' and '-', and is not {OWN_NAME!r}, which is api.token", context
        )
    made = new_token()
    listed = ", ".join(f'"{scope}"' for scope in dict.fromkeys(scopes))
    click.echo("The token, which is not shown again; and lines for the config file, which hold after the next start:", err=True)
    print(f'{made}\n\n[[token]]\nname = "{name}"\nscopes = [{listed}]\nhash = "{hash_of(made)}"')
