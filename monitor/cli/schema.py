"""`schema`: what other programs may rely on, as JSON Schema, made from the code."""

from __future__ import annotations

import json
from pathlib import Path

import click

from monitor import event_types
from monitor.cli.group import Commands, cli
from monitor.words import AlertKind


@cli.group(cls=Commands, epilog="Example:  exowatch schema events --output docs/events")
def schema() -> None:
    """JSON Schemas for programs that receive from exowatch."""


@schema.command(epilog="Example:  exowatch schema events --output docs/events")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="A folder, for a file of each kind (else stdout)."
)
def events(output: Path | None) -> None:
    """Print the schema of every event that a webhook may receive, or write a file of each."""
    if output is None:
        print(json.dumps({kind: event_types.schema_of(kind) for kind in event_types.KINDS}, indent=2))
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
        for kind in event_types.KINDS:
            (output / f"{kind}.json").write_text(text_of(kind), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"the schemas cannot be written to {output}: {error.strerror}") from None
    print(f"{len(event_types.KINDS)} schemas written to {output}")


def text_of(kind: AlertKind) -> str:
    """A schema's file."""
    return json.dumps(event_types.schema_of(kind), indent=2, ensure_ascii=False) + "\n"
