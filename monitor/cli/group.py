"""The group that every command belongs to, and what all of them share: --config, --verbose, the settings.

A command's module puts it there with `@cli.command(...)`; `monitor.cli` names the module, which is only read when the command is
asked for.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from monitor import __version__
from monitor.settings import Settings, load
from monitor.telemetry import set_up_logging


@dataclass
class Invocation:
    """What was said before or after the command's name: the config file, and whether to be verbose."""

    config: Path | None = None
    verbose: bool = False


class Commands(click.Group):
    """A group whose commands take --config and --verbose too, and are looked for in the modules named in `modules`."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.modules: dict[str, str] = {}

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        own = {param.name for param in cmd.params}
        cmd.params += [option for option in _shared_options() if option.name not in own]
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.modules) or super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.modules:
            importlib.import_module(self.modules[cmd_name])
        return super().get_command(ctx, cmd_name)


def _shared_options() -> list[click.Option]:
    def remember(context: click.Context, option: click.Parameter, value: Any) -> None:
        if value:
            setattr(context.ensure_object(Invocation), str(option.name), value)

    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            expose_value=False,
            callback=remember,
            help="The config file (else EXOWATCH_CONFIG, else the shipped one).",
        ),
        click.Option(
            ["--verbose"],
            is_flag=True,
            expose_value=False,
            callback=remember,
            help="Log everything, and show where an unexpected error came from.",
        ),
    ]


def settings_of(context: click.Context) -> Settings:
    """The settings of this invocation. Raises SettingsError."""
    return load(context.ensure_object(Invocation).config)


def log_as_asked(context: click.Context, level: int = logging.INFO) -> None:
    """Logs go to stderr from `level` on, and all of them with --verbose."""
    set_up_logging(logging.DEBUG if context.ensure_object(Invocation).verbose else level)


@click.group(
    cls=Commands,
    params=_shared_options(),
    epilog="Example:  exowatch claims --since 24h --verdict unsupported",
    no_args_is_help=True,
)
@click.version_option(__version__, message="exowatch %(version)s")
def cli() -> None:
    """Hears public posts on a topic, finds the claims in them, and alerts once for each new unsupported claim."""
