"""The published schemas of events: up to date, with valid examples, and true of what is really sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from monitor import event_types
from monitor.cli import cli
from monitor.cli.schema import files_of_all
from monitor.event_types import EVENTS, AboutMention
from monitor.events import FORMS, load_events
from monitor.ids import stored_id
from monitor.notices import News
from monitor.settings import Endpoint
from monitor.store import Database, alerts, deliveries, erase, news, outbox, parse_filters, source_events
from monitor.store.budgets import HOUR_MS, Recipient
from monitor.store.outbox import AlertDraft
from monitor.times import now_ms
from monitor.words import SourceStatus
from tests.delivering import Clock, raise_claim, raise_more, sender
from tests.receiver import Receiver, status
from tests.test_store import NOW, carries, judged, post, write

FOLDER = Path(__file__).parents[1] / "docs" / "events"
KINDS = event_types.KINDS


def validator(kind: Any, form: str = "standard") -> jsonschema.Draft202012Validator:
    schema = json.loads((FOLDER / ("" if form == "standard" else form) / f"{kind}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def on_file(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*.json")}


def test_the_files_are_what_the_code_says_and_no_others() -> None:
    assert on_file(FOLDER) == files_of_all(), "run `exowatch schema events --output docs/events`"
    assert len(on_file(FOLDER)) == len(KINDS) * len(FORMS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_example_is_valid_and_a_wrong_one_is_not(kind: Any, form: str) -> None:
    held = validator(kind, form)
    (example,) = held.schema["examples"]
    held.validate(example)
    for wrong in ({**example, "type": "other"}, {**example, "data": {**example["data"], "alert_id": 7}}, {"type": kind}):
        assert list(held.iter_errors(wrong)), wrong
    for name in example["data"].keys() - {"truncated"}:
        less = {key: value for key, value in example["data"].items() if key != name}
        assert list(held.iter_errors({**example, "data": less})), f"{name} must be there"


def by_form(receiver: Receiver, **more: Any) -> list[Endpoint]:
    """An endpoint for each form, named after it."""
    return [
        receiver.endpoint(name, format="cloudevents" if form.cloudevents else "standard", thin=form.thin, **more)
        for name, form in FORMS.items()
    ]


async def raise_all_but_digest(database: Database, told: list[Endpoint], broken: Endpoint) -> None:
    """Every kind of alert, by those who raise it where that is one function; `broken` will have to be disabled for one."""
    names = tuple(one.name for one in told)
    await raise_claim(database, 1, *names)
    await raise_claim(database, 2, *names)
    await raise_more(database, 1, "claim.spreading", *names)
    await raise_more(database, 1, "claim.resurfaced", *names)
    to = tuple(map(Recipient, names))
    source = SourceStatus(
        name="s", kind="feed", state="down", last_success=None, last_error="answered 503", lag_s=None, heard=7, gaps=()
    )
    async with database.write() as connection:
        first = (await alerts.page(connection, parse_filters({"text": ["1"]}))).items[-1]
        mention = stored_id("m", first.mention_id or "")
        before = {"before": {"verdict": "unsupported", "verdicts": {"US": "unsupported"}}}
        changed = AlertDraft(kind="claim.verdict_changed", dedupe_key="v", summary="s", recipients=to, subject=before)
        of_posts = [kind for kind, event in EVENTS.items() if event.data is AboutMention and kind != "mention.deleted"]
        about = [AlertDraft(kind=kind, dedupe_key=kind, summary="s", recipients=to) for kind in of_posts]
        found = [
            source_events.down(source, NOW, told),
            source_events.silent(replace(source, state="silent"), NOW, NOW + 1, told),
            source_events.recovered(replace(source, state="ok"), "down", NOW, NOW + 1, told),
        ]
        drafts = [
            (changed, first.claim_id, None),
            *((one, None, mention) for one in about),
            *((one, None, None) for one in found),
        ]
        await outbox.raise_alerts(connection, drafts, NOW)
    async with database.write() as connection:
        item = News(
            register="clinicaltrials", id="NCT1", kind="trial", state="completed", title="A trial", url="https://e.test/1"
        )
        await news.add(connection, "trials", [item], told)
    for one in [*told, broken]:
        async with database.write() as connection:
            await deliveries.raise_test(connection, one)


def leaves(value: Any, key: str = "") -> list[str]:
    """The names of all values in it."""
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in leaves(inner, name)]
    return [leaf for inner in value for leaf in leaves(inner, key)] if isinstance(value, list) else [key]


async def test_every_kind_is_sent_in_every_form_as_its_schema_says(database: Database, clock: Clock, receiver: Receiver) -> None:
    async with Receiver(clock=clock) as gone:
        gone.always(status(410))
        told, broken = by_form(receiver), gone.endpoint("broken")
        await raise_all_but_digest(database, told, broken)
        sending = sender(database, clock, *told, broken)
        await sending.flush()
        async with database.write() as connection:
            await erase.erase(connection, await erase.find(connection, erase.matching({("reddit", "1")}, (), ())), endpoints=told)
        await sending.flush()
    plan = by_form(receiver, digest="hourly")
    for number in (3, 4):
        text = f"claim {number}"
        one = judged(number, post(str(number), text), carries(text, text, f"claim-{number}"))
        to = tuple(Recipient(endpoint.name, digest=endpoint.digest) for endpoint in plan)
        await write(database, replace(one, alerts=(replace(one.alerts[0], recipients=to),)))
    clock.now = now_ms() + 2 * HOUR_MS
    await sender(database, clock, *plan).flush()

    async with database.read() as connection:
        delivered = (await deliveries.page(connection, parse_filters({"limit": ["500"]}))).items
    form_of = {one.webhook_id: one.endpoint for one in delivered}
    sent: dict[str, set[str]] = {}
    for got in receiver.kept:
        form, kind = form_of[got.id], got.event["type"]
        assert got.headers["content-type"].startswith("application/cloudevents+json" if "cloud" in form else "application/json")
        validator(kind, form).validate(got.event)
        if "thin" in form:
            assert set(leaves(got.event["data"])) <= {"alert_id", "claim_id", "mention_id", "id", "name", "count"}
        sent.setdefault(form, set()).add(kind)
    assert receiver.forged == 0
    assert sent == {form: set(KINDS) for form in FORMS}


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
    assert (written.exit_code, written.output) == (0, f"{len(KINDS) * len(FORMS)} schemas written to {tmp_path}/new\n")
    assert on_file(tmp_path / "new") == on_file(FOLDER)
    written = CliRunner().invoke(cli, ["schema", "events", "--form", "thin", "--output", str(tmp_path / "thin")])
    assert on_file(tmp_path / "thin") == {f"thin/{name}": text for name, text in on_file(FOLDER / "thin").items()}
    for form in FORMS:
        printed = json.loads(CliRunner().invoke(cli, ["schema", "events", "--form", form]).output)
        assert printed == {kind: validator(kind, form).schema for kind in KINDS}
    (tmp_path / "file").write_text("")
    refused = CliRunner().invoke(cli, ["schema", "events", "--output", str(tmp_path / "file" / "below")])
    assert refused.exit_code == 1
    assert "cannot be written" in refused.output
