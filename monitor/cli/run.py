"""`exowatch run`: the whole daemon in one command; and its roles, one alone, for many machines."""

from __future__ import annotations

import asyncio

import click

from monitor import tracing
from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.cli.output import counted
from monitor.daemon import ALL_ROLES, Daemon, Role, name_of
from monitor.daemon import run as run_daemon


@cli.command(epilog="Example:  exowatch run --config /etc/exowatch/monitor.toml --workers 2")
@click.option("--workers", type=click.IntRange(1, 64), default=1, help="Worker processes, this one included (default 1).")
@click.pass_context
def run(context: click.Context, workers: int) -> None:
    """Run the whole daemon: collectors, workers, delivery, API and pages.

    Ends in order on Ctrl-C or SIGTERM. The address of the page is printed when it is ready.
    """
    _play(context, ALL_ROLES, workers=workers)


@cli.command(epilog="Example:  exowatch collect --config /etc/exowatch/monitor.toml")
@click.pass_context
def collect(context: click.Context) -> None:
    """Run the collectors alone. Several share the sources out: each is asked by one; another takes over when that one ends."""
    _play(context, ("collect",))


@cli.command(epilog="Example:  exowatch work --config /etc/exowatch/monitor.toml")
@click.option("--with-parent", is_flag=True, hidden=True, help="Stop when standard input is closed.")
@click.pass_context
def work(context: click.Context, with_parent: bool) -> None:
    """Run one worker alone: it judges and records what the collectors heard. Start as many as you like."""
    _play(context, ("work",), with_parent=with_parent)


@cli.command(epilog="Example:  exowatch deliver --config /etc/exowatch/monitor.toml")
@click.pass_context
def deliver(context: click.Context) -> None:
    """Run delivery alone: it sends alerts to the endpoints. Start as many as you like."""
    _play(context, ("deliver",))


@cli.command(epilog="Example:  exowatch serve --config /etc/exowatch/monitor.toml")
@click.pass_context
def serve(context: click.Context) -> None:
    """Run the API and the pages alone."""
    _play(context, ("serve",))


def _play(context: click.Context, roles: tuple[Role, ...], *, workers: int = 1, with_parent: bool = False) -> None:
    log_as_asked(context)

    def say_ready(daemon: Daemon) -> None:
        sources, endpoints = daemon.settings.source, daemon.settings.endpoint
        what = f"{counted(len(sources), 'source')}, {counted(len(endpoints), 'endpoint')}"
        click.echo(f"exowatch is ready: {daemon.address or ' '.join(roles)}  ({what})")
        if roles == ALL_ROLES and not endpoints:
            click.echo("No endpoint is configured, so alerts are only shown; see [[endpoint]] in the config file.")

    settings = settings_of(context)
    with tracing.exporting(settings.telemetry, name_of(roles)):
        asyncio.run(run_daemon(settings, roles, say_ready, workers=workers, with_parent=with_parent))
