"""Whole lists as files, over HTTP and from the command line: all of it, nothing that runs, memory that stays flat."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
import json
import sys
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pyarrow.parquet as pq
import pytest

from monitor.api import exports
from monitor.cells import csv_cell
from monitor.export import pages, rows, writer
from monitor.extras import not_installed
from monitor.ids import claim_id_of
from monitor.settings import Settings
from monitor.store import Database, Filters
from tests.api_server import Api, serving
from tests.samples import judged, occurrence, write, write_some
from tests.test_cli_query import configured, exowatch, on_a_terminal

FORMULA = '=HYPERLINK("http://evil.example","exosomes")\n,\'x\''


@pytest.fixture
async def api(database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """A server over a database with a few records, which are exported two at a time."""
    monkeypatch.setattr(rows, "PAGE", 2)
    await write_some(database)
    await write(database, judged("f", FORMULA, hours_ago=0.5))
    async with serving(database, redis_url) as api:
        yield api


async def export(api: Api, path: str) -> tuple[str, bytes]:
    """The name of the file, and what is in it."""
    async with api.client.get(f"{api.url}/api/v1/{path}") as answer:
        body = await answer.read()
        assert answer.status == 200, body
        return answer.headers["Content-Disposition"].partition("=")[2].strip('"'), body


async def everything(api: Api, path: str) -> list[dict[str, Any]]:
    return (await api.get(f"/api/v1/{path}"))[1]["items"]  # type: ignore[no-any-return]


async def test_json_lines_are_the_lists_themselves_whole_and_in_order(api: Api) -> None:
    for kind in ("mentions", "claims", "alerts"):
        name, body = await export(api, f"{kind}/export?format=jsonl")
        assert name == f"exowatch-{kind}.jsonl"
        assert [json.loads(line) for line in body.splitlines()] == await everything(api, kind)
    assert [json.loads(line)["platform_id"] for line in (await export(api, "mentions/export"))[1].splitlines()] == [*"fdcba"]


async def test_occurrences_are_those_that_the_filters_ask_for(api: Api) -> None:
    text = "FDA approved and 100% safe"
    both = (occurrence(text, "FDA approved", "approved"), occurrence(text, "100% safe", "safe", type="safety"))
    await write(api.database, judged("e", text, *both, hours_ago=0))
    _, body = await export(api, "occurrences/export?type=safety")
    assert [(one["platform_id"], one["quote"]) for one in map(json.loads, body.splitlines())] == [
        ("e", "100% safe"),
        ("c", "100% safe"),
    ]
    assert len((await export(api, "occurrences/export"))[1].splitlines()) == 5


async def test_filters_narrow_and_wrong_ones_are_named_before_anything_is_sent(api: Api) -> None:
    _, body = await export(api, "mentions/export?format=csv&platform=tiktok")
    assert [row["platform_id"] for row in csv.DictReader(io.StringIO(body.decode()))] == ["b"]
    _, body = await export(api, "claims/export?format=csv&state=dismissed")
    assert body.decode().splitlines() == [",".join(csv.DictReader(io.StringIO(body.decode())).fieldnames or ())]  # names alone
    for query, says in (("format=xls", "csv, jsonl, parquet"), ("limit=5", "unknown parameter"), ("type=x", "safety")):
        status, problem = await api.get(f"/api/v1/mentions/export?{query}")
        assert (status, says in problem["detail"]) == (400, True), problem


async def test_csv_runs_no_formula_and_keeps_what_was_written(api: Api) -> None:
    _, body = await export(api, "mentions/export?format=csv")
    found = {row["platform_id"]: row for row in csv.DictReader(io.StringIO(body.decode()))}
    assert found["f"]["text"] == "'" + FORMULA
    assert json.loads(found["c"]["claims"])[0]["quote"] == "100% safe"
    assert found["c"]["relevant"] == "true"


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", "\x00=1", "\u202e=1"]
)
def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert csv_cell(text).startswith("'")


def test_numbers_and_plain_words_are_as_they_are() -> None:
    assert [csv_cell(value) for value in (-1, 0.5, None, True, "a = b", {"x": -1})] == [
        "-1",
        "0.5",
        "",
        "true",
        "a = b",
        '{"x":-1}',
    ]


async def test_parquet_has_the_types_of_the_records(api: Api) -> None:
    name, body = await export(api, "mentions/export?format=parquet")
    table = pq.read_table(io.BytesIO(body))
    listed = await everything(api, "mentions")
    assert name == "exowatch-mentions.parquet"
    assert table.column("id").to_pylist() == [one["id"] for one in listed]
    first = table.to_pylist()[-1]
    assert first["seen_at"] == dt.datetime.fromisoformat(listed[-1]["seen_at"])
    assert first["claims"][0]["evidence"] == listed[-1]["claims"][0]["evidence"]
    assert dict(first["claims"][0]["verdicts"]) == {"US": "contradicted"}
    _, body = await export(api, "claims/export?format=parquet&type=authority")
    assert (pq.read_table(io.BytesIO(body)).num_rows, "claim" in pq.read_schema(io.BytesIO(body)).names) == (0, True)
    _, body = await export(api, "occurrences/export?format=parquet")
    assert pq.read_table(io.BytesIO(body)).num_rows == 3


async def test_an_export_that_breaks_off_does_not_look_whole(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    made = type(writer("jsonl", "mentions"))
    whole = made.add

    def add(self: Any, items: Any) -> bytes:
        if any(one.platform_id == "a" for one in items):
            raise RuntimeError("broken")
        return whole(self, items)

    monkeypatch.setattr(made, "add", add)
    async with api.client.get(api.url + "/api/v1/mentions/export") as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_no_more_exports_at_once_than_the_server_can_make(api: Api) -> None:
    running = api.app[exports.RUNNING]
    for _ in range(exports.MAX_AT_ONCE):
        await running.acquire()
    status, _ = await api.get("/api/v1/mentions/export")
    assert status == 503
    running.release()
    assert (await export(api, "mentions/export"))[1].count(b"\n") == 5


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_memory_stays_flat_however_many_there_are(tmp_path: Path, form: str) -> None:
    database = Database(Settings(store={"url": f"sqlite:///{tmp_path}/store.sqlite"}).sqlalchemy_url)
    await database.migrate()
    text = "exosomes " + "and so on " * 1_000
    for start in range(0, 3_000, 500):
        await write(database, *(judged(str(n), text, hours_ago=1, n=n % 2_000) for n in range(start, start + 500)))
    out, size, count = writer(form, "mentions"), 0, 0
    tracemalloc.start()
    async for page in pages(database, "mentions", Filters()):
        size += len(out.add(page))
        count += len(page)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await database.close()
    assert count == 3_000
    assert size > 30_000_000
    assert peak < 12_000_000, f"{peak:,} bytes"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config file whose SQLite database holds a few records."""
    return configured(tmp_path, f"sqlite:///{tmp_path}/var/exowatch.sqlite")


def test_the_command_writes_a_file_that_is_whole_or_not_there(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "claims.jsonl"
    done = exowatch("export", "claims", "--output", file, "--config", config)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {json.loads(line)["id"] for line in file.read_text().splitlines()} >= {claim_id_of("safe"), claim_id_of("approved")}
    for form in ("csv", "parquet"):
        done = exowatch("export", "mentions", "--format", form, "--output", tmp_path / f"m.{form}", "--config", config)
        assert (done.returncode, done.stderr) == (0, "")
    assert pq.read_table(tmp_path / "m.parquet").num_rows == 5
    wrong = exowatch("export", "mentions", "--output", tmp_path / "none" / "x.csv", "--config", config)
    assert (wrong.returncode, wrong.stderr.count("\n"), "--output" in wrong.stderr) == (1, 1, True)
    assert [name.name for name in tmp_path.iterdir() if "part" in name.name] == []


def test_in_a_pipe_there_is_the_file_and_nothing_else(config: Path) -> None:
    done = exowatch("export", "mentions", "--format", "csv", "--platform", "tiktok", "--config", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["platform_id"] for row in csv.DictReader(io.StringIO(done.stdout))] == ["b"]
    for wrong, says in (
        (("things",), "mentions"),
        (("mentions", "--state", "open"), "--state"),
        (("claims", "--limit", "1"), "--limit"),
    ):
        done = exowatch("export", *wrong, "--config", config)
        assert (done.returncode, says in done.stderr, done.stderr.count("\n")) == (2, True, 1)


def test_without_pyarrow_one_sentence_says_what_to_install(config: Path, tmp_path: Path) -> None:
    block = "import sys; sys.modules['pyarrow'] = None; from monitor.cli import main; main()"
    process = asyncio.run(_run(sys.executable, "-c", block, "export", "alerts", "--format", "parquet", "--config", str(config)))
    assert process == (1, f"exowatch: {not_installed('Parquet needs pyarrow')}\n")


async def _run(*command: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL)
    _, said = await process.communicate()
    return process.returncode, said.decode()


def test_on_a_terminal_the_lines_are_as_in_a_pipe(config: Path) -> None:
    shown = on_a_terminal("export", "alerts", "--config", str(config))
    assert len([line for line in shown.splitlines() if line.startswith("{")]) == 3
