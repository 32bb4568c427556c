"""`mcp`: claims and evidence for an assistant, by the Model Context Protocol."""

from __future__ import annotations

import asyncio
import logging

import click

from monitor.cli.database import opened
from monitor.cli.group import cli, log_as_asked, settings_of
from monitor.extras import not_installed
from monitor.settings import Settings
from monitor.topic import load_topic


@cli.command(epilog="Example:  exowatch mcp --config /etc/exowatch/monitor.toml")
@click.pass_context
def mcp(context: click.Context) -> None:
    """Serve claims and evidence to an assistant (MCP, over standard input and output).

    It only reads: mentions, claims with their evidence, alerts, the register. Whatever posts say is marked as untrusted.
    """
    try:
        import monitor.cli.assistant  # noqa: F401, PLC0415 - the SDK is an extra
    except ImportError:
        raise click.ClickException(not_installed("MCP needs its SDK")) from None
    log_as_asked(context, logging.WARNING)
    asyncio.run(_serve(settings_of(context)))


async def _serve(settings: Settings) -> None:
    from monitor.cli.assistant import make_server  # noqa: PLC0415

    register = load_topic(settings.topic_folder, settings.watchlist_file).register
    async with opened(settings) as database:
        await make_server(database, register).run_stdio_async()
