"""The command line, `exowatch`: each command lives in a module of its own, and one line here names it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from monitor.cli.group import Invocation, cli
from monitor.cli.output import plain

# In the order of `exowatch --help`: the command and the module that holds it.
cli.modules = {
    "run": "monitor.cli.run",
    "collect": "monitor.cli.run",
    "work": "monitor.cli.run",
    "deliver": "monitor.cli.run",
    "serve": "monitor.cli.run",
    "demo": "monitor.cli.demo",
    "check": "monitor.cli.check",
    "migrate": "monitor.cli.migrate",
    "backup": "monitor.cli.backup",
    "restore": "monitor.cli.backup",
    "mentions": "monitor.cli.query",
    "claims": "monitor.cli.query",
    "alerts": "monitor.cli.query",
    "sources": "monitor.cli.sources",
    "mention": "monitor.cli.mention",
    "export": "monitor.cli.export",
    "claim": "monitor.cli.show",
    "reviews": "monitor.cli.reviews",
    "explain": "monitor.cli.explain",
    "classify": "monitor.cli.classify",
    "evaluate": "monitor.cli.evaluate",
    "replay": "monitor.cli.replay",
    "import": "monitor.cli.replay",
    "forget": "monitor.cli.forget",
    "authors": "monitor.cli.authors",
    "dead": "monitor.cli.dead",
    "rejudge": "monitor.cli.rejudge",
    "evidence": "monitor.cli.evidence_news",
    "watch": "monitor.cli.watch",
    "token": "monitor.cli.token",
    "mcp": "monitor.cli.mcp",
    "completion": "monitor.cli.completion",
    "endpoints": "monitor.cli.endpoint_care",
    "schema": "monitor.cli.schema",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 failed, 2 asked wrongly; errors are one sentence on stderr."""
    invocation = Invocation()
    try:
        colour = False if os.environ.get("NO_COLOR") else None  # None: on a terminal only
        status = cli.main(args=arguments, prog_name="exowatch", standalone_mode=False, obj=invocation, color=colour)
        sys.stdout.flush()
        code = status if isinstance(status, int) else 0  # what the command returned
    except BrokenPipeError:  # the reader had enough, as `| head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except click.exceptions.NoArgsIsHelpError as error:  # a group without a command: its help is the answer, line by line
        print(error.format_message(), file=sys.stderr)
        code = 2
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "exowatch"
        code = _say(f"{' '.join(error.format_message().split()).rstrip('.')}; see {where} --help", 2)
    except click.ClickException as error:
        code = _say(error.format_message(), error.exit_code)
    except Exception as error:
        if invocation.verbose:
            raise
        code = _say(_explain(error), 1)
    sys.exit(code)


def _explain(error: Exception) -> str:
    """An error as a sentence. All errors that this program defines are written for its user; others are not expected."""
    text = str(error).strip()
    if any(kind.__module__.split(".")[0] in ("monitor", "workers") for kind in type(error).__mro__):
        return text
    first = text.splitlines()[0] if text else "no reason given"
    return f"unexpected {type(error).__name__}: {first}; run it again with --verbose to see where"


def _say(text: str, status: int) -> int:
    print(f"exowatch: {plain(text, keep_lines=True)}", file=sys.stderr)
    return status


__all__ = ["cli", "main"]
