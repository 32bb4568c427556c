"""`schema`: what other programs may rely on, as JSON Schema, made from the code."""

from __future__ import annotations

import json
from pathlib import Path

import click

from monitor import event_types
from monitor.cli.group import Commands, cli
from monitor.events import FORMS
from monitor.words import AlertKind


@cli.group(cls=Commands, epilog="Example:  exowatch schema events --output docs/events")
def schema() -> None:
    """JSON Schemas for programs that receive from exowatch."""


@schema.command(epilog="Example:  exowatch schema events --form thin")
@click.option("--form", type=click.Choice(list(FORMS)), help="As an endpoint has it by its `format` and `thin` (else standard).")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="A folder, for a file of each kind and form (else stdout)."
)
def events(form: str | None, output: Path | None) -> None:
    """Print the schema of every event that a webhook may receive, or write a file of each."""
    if output is None:
        wanted = FORMS[form or "standard"]
        print(json.dumps({kind: event_types.schema_of(kind, wanted) for kind in event_types.KINDS}, indent=2))
        return
    files = {name: text for name, text in files_of_all().items() if form is None or name in _names(form)}
    try:
        for name, text in files.items():
            (output / name).parent.mkdir(parents=True, exist_ok=True)
            (output / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"the schemas cannot be written to {output}: {error.strerror}") from None
    print(f"{len(files)} schemas written to {output}")


def files_of_all() -> dict[str, str]:
    """What the folder of schemas holds, by path: the standard form in it, each other in a folder of its own."""
    return {
        name: json.dumps(event_types.schema_of(kind, FORMS[form]), indent=2, ensure_ascii=False) + "\n"
        for form in FORMS
        for name, kind in _names(form).items()
    }


def _names(form: str) -> dict[str, AlertKind]:
    folder = "" if form == "standard" else f"{form}/"
    return {f"{folder}{kind}.json": kind for kind in event_types.KINDS}
