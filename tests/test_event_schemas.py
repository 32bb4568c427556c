"""The published schemas of events: up to date, with valid examples, and true of what is really sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from monitor import event_types
from monitor.cli import cli
from monitor.cli.schema import text_of
from monitor.events import load_events
from monitor.store import Database, outbox
from monitor.store.outbox import AlertDraft
from tests.test_store import NOW, carries, judged, post, write

FOLDER = Path(__file__).parents[1] / "docs" / "events"
KINDS = event_types.KINDS


def validator(kind: Any) -> jsonschema.Draft202012Validator:
    schema = json.loads((FOLDER / f"{kind}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_what_the_code_says(kind: Any) -> None:
    assert (FOLDER / f"{kind}.json").read_text() == text_of(kind), "run `exowatch schema events --output docs/events`"


def test_there_is_a_file_of_each_kind_and_no_other() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.json")) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_is_valid_and_a_wrong_one_is_not(kind: Any) -> None:
    held = validator(kind)
    (example,) = held.schema["examples"]
    held.validate(example)
    for wrong in ({**example, "type": "other"}, {**example, "data": {**example["data"], "alert_id": 7}}, {"type": kind}):
        assert list(held.iter_errors(wrong)), wrong


async def test_what_is_sent_is_as_the_schemas_say(database: Database) -> None:
    text = "FDA approved " + "word " * 9_000
    raised = list((await write(database, judged(1, post("a", text), carries(text, "FDA approved")))).alerts)
    status = {"name": "hook", "kind": "webhook", "state": "ok", "pending": 0, "dead": 0}
    drafts: list[tuple[AlertDraft, str | None, int | None]] = [
        (AlertDraft(kind="test", dedupe_key="t", summary="s", subject={"endpoint": status}), None, None),
        (AlertDraft(kind="endpoint.disabled", dedupe_key="e", summary="s", subject={"endpoint": status}), None, None),
    ]
    async with database.write() as connection:
        raised += list(await outbox.raise_alerts(connection, drafts, NOW))
    async with database.read() as connection:
        sent = [json.loads(event.body) for event in (await load_events(connection, raised)).values()]
    assert sorted(one["type"] for one in sent) == ["claim.new", "endpoint.disabled", "test"]
    for one in sent:
        validator(one["type"]).validate(one)
    assert any(one["data"].get("truncated") for one in sent)


def test_the_command_writes_and_prints_them(tmp_path: Path) -> None:
    written = CliRunner().invoke(cli, ["schema", "events", "--output", str(tmp_path / "new")])
    assert (written.exit_code, written.output) == (0, f"{len(KINDS)} schemas written to {tmp_path}/new\n")
    assert {file.name: file.read_text() for file in (tmp_path / "new").iterdir()} == {
        file.name: file.read_text() for file in FOLDER.glob("*.json")
    }
    printed = json.loads(CliRunner().invoke(cli, ["schema", "events"]).output)
    assert list(printed) == list(KINDS)
    (tmp_path / "file").write_text("")
    refused = CliRunner().invoke(cli, ["schema", "events", "--output", str(tmp_path / "file" / "below")])
    assert refused.exit_code == 1
    assert "cannot be written" in refused.output
