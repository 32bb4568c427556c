"""`exowatch run`: the whole daemon in one command."""

from __future__ import annotations

import asyncio

import click

from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.daemon import ALL_ROLES, Daemon
from monitor.daemon import run as run_daemon


@cli.command(epilog="Example: exowatch run --config /etc/exowatch/monitor.toml")
@click.pass_context
def run(context: click.Context) -> None:
    """Run the whole daemon: collectors, workers, delivery, API and pages.

    Ends in order on Ctrl-C or SIGTERM. The address of the page is printed when it is ready.
    """
    log_as_asked(context)
    asyncio.run(run_daemon(settings_of(context), ALL_ROLES, _say_ready))


def _say_ready(daemon: Daemon) -> None:
    watched, told = len(daemon.settings.source), len(daemon.settings.endpoint)
    click.echo(f"exowatch is ready: {daemon.address}  ({watched} sources, {told} endpoints)")
    if not told:
        click.echo("No endpoint is configured, so alerts are only shown; see [[endpoint]] in the config file.")
