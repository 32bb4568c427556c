"""`completion`: what a shell needs to complete exowatch's commands, options and values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from monitor.cli.group import cli

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_EXOWATCH_COMPLETE"


@cli.command(epilog="Example:  exowatch completion bash >> ~/.bash_completion")
@click.argument("shell", metavar=f"[{'|'.join(_SHELLS)}]", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print the completion script for a shell; it asks exowatch itself what may follow."""
    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"there is no completion for {shell}; it is there for {', '.join(_SHELLS)}")
    template = made(cli, {}, "exowatch", _VARIABLE)
    print(template.source_template % template.source_vars())
