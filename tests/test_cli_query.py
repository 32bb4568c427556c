"""The reading commands, as a user runs them: `python -m monitor …` in a process of its own, without a daemon."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from monitor import words
from monitor.cli import main
from monitor.ids import claim_id_of
from monitor.settings import Settings
from monitor.store import Database, mentions, parse_filters, sources
from monitor.store.judged import Judged
from tests.daemon_process import PATIENCE_S, ROOT, files, written
from tests.launcher import launch
from tests.postgres import Postgres
from tests.samples import judged, occurrence, write, write_some

__all__ = ["ESCAPES", "ROOT", "configured", "exowatch", "fill", "on_a_terminal"]  # what other tests of commands use

ENDPOINT = """
[[endpoint]]
name = "case-system"
kind = "webhook"
url = "http://127.0.0.1:9/hook"
secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
allow_private = true
"""
ESCAPES = "exosomes \x1b]0;owned\x07\x1b[31mred\x1b[0m [bold]x[/bold] \x9b2J\u202e=1+1"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config file whose SQLite database holds a few records."""
    return configured(tmp_path, f"sqlite:///{tmp_path}/var/exowatch.sqlite")


def configured(tmp_path: Path, store_url: str) -> Path:
    """A config file for this database, with a few records in it."""
    file = tmp_path / "monitor.toml"
    file.write_text(f'data_dir = "{tmp_path}/var"\n[store]\nurl = "{store_url}"\n{ENDPOINT}')
    asyncio.run(fill(store_url))
    return file


async def fill(store_url: str, *more: Judged) -> None:
    database = Database(Settings(store={"url": store_url}).sqlalchemy_url)
    await database.migrate()
    await write_some(database)
    await write(database, judged("esc", ESCAPES, occurrence(ESCAPES, ESCAPES, "esc", claim="=cmd()", type="mechanism")))
    await write(database, *more)
    async with database.write() as connection:
        await sources.declare(connection, {"skincare": "reddit", "tag": "feed"})
    await database.close()


def exowatch(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """One command; its output as text."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("EXOWATCH_")}
    words = tuple(map(str, arguments))
    with files(stdin) as (given, out, err):
        status = launch(words, given.fileno(), out.fileno(), err.fileno(), environ).wait_here(PATIENCE_S)
        return subprocess.CompletedProcess(words, status, written(out), written(err))


def test_json_is_what_http_answers_and_the_cursor_leads_on(tmp_path: Path, store_url: str) -> None:
    config = configured(tmp_path, store_url)
    first = exowatch("mentions", "--limit", "2", "--format", "json", "--config", config)
    assert (first.returncode, first.stderr) == (0, "")

    async def as_http() -> bytes:
        database = Database(Settings(store={"url": store_url}).sqlalchemy_url)
        async with database.read() as connection:
            page = await mentions.page(connection, parse_filters({"limit": ["2"]}))
        await database.close()
        return words.encode(page)

    assert first.stdout.encode() == asyncio.run(as_http()) + b"\n"
    cursor = json.loads(first.stdout)["next"]
    rest = exowatch("--config", config, "mentions", "--cursor", cursor, "--format", "jsonl")
    assert [json.loads(line)["platform_id"] for line in rest.stdout.splitlines()] == ["c", "b", "a"]


def test_filters_narrow_and_a_repeated_one_means_or(config: Path) -> None:
    found = exowatch(
        "claims", "--config", config, "--type", "safety", "--type", "mechanism", "--since", "24h", "--format", "jsonl"
    )
    assert {json.loads(line)["type"] for line in found.stdout.splitlines()} == {"safety", "mechanism"}
    found = exowatch("alerts", "--config", config, "--verdict", "unsupported", "--format", "jsonl")
    assert [json.loads(line)["claim_id"] for line in found.stdout.splitlines()] == [claim_id_of("safe")]


def test_a_pipe_gets_plain_lines_without_anything_that_steers_a_terminal(config: Path) -> None:
    found = exowatch("mentions", "--config", config, "--type", "mechanism")
    lines = found.stdout.splitlines()
    assert lines[0].split("\t") == ["seen", "id", "platform", "claims", "text"]
    assert "[bold]x[/bold]" in lines[1]
    assert not [char for char in found.stdout if char in "\x1b\x07\x9b\u202e"]


def on_a_terminal(*arguments: str, columns: int = 100) -> str:
    """What a command shows on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    environ = os.environ | {"COLUMNS": str(columns), "TERM": "xterm"}
    with files("") as (given, _, err):
        process = launch(arguments, given.fileno(), theirs, err.fileno(), environ)
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:  # how a terminal says that the other side is gone
            pass
        os.close(ours)
        assert process.wait_here(PATIENCE_S) == 0, written(err)
    return shown.decode()


def test_long_texts_take_no_room_from_what_stands_beside_them(config: Path) -> None:
    text = "exosomes " + "and more " * 100
    asyncio.run(fill(f"sqlite:///{config.parent}/var/exowatch.sqlite", judged("long", text, hours_ago=0.5)))
    (line,) = [line for line in on_a_terminal("mentions", "--config", str(config)).splitlines() if "exosomes and" in line]
    assert "reddit" in line
    assert len(line) <= 100


def test_a_terminal_gets_a_table_that_fits_and_takes_post_text_literally(config: Path) -> None:
    text = on_a_terminal("mentions", "--config", str(config))
    assert "[bold]" in text
    assert "owned" not in text
    plain = [line for line in text.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines() if line.strip()]
    assert len(plain) == 6
    assert max(map(len, plain)) <= 100


def test_csv_has_a_row_a_thing_and_no_formula(config: Path) -> None:
    found = exowatch("claims", "--config", config, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    assert [row["claim"] for row in rows if row["type"] == "mechanism"] == ["'=cmd()"]
    assert {"reddit": 1, "tiktok": 1} in [json.loads(row["platforms"]) for row in rows]


def test_sources_and_one_claim_are_shown(config: Path) -> None:
    found = exowatch("sources", "--config", config)
    assert [line.split("\t")[0] for line in found.stdout.splitlines()] == ["name", "skincare", "tag"]
    found = exowatch("claim", claim_id_of("approved"), "--config", config)
    for wanted in ("The claim approved.", "contradicted", "A public notice", "approved by the FDA", "claim.new", "Timeline"):
        assert wanted in found.stdout
    missing = exowatch("claim", "c_none", "--config", config)
    assert (missing.returncode, missing.stdout, missing.stderr.count("\n")) == (1, "", 1)


def test_endpoints_are_listed_tested_and_redelivered(config: Path) -> None:
    put = exowatch("endpoints", "test", "case-system", "--config", config)
    assert (put.returncode, put.stderr) == (0, "")
    delivery_id = put.stdout.split()[0]
    found = json.loads(exowatch("endpoints", "list", "--config", config, "--format", "json").stdout)
    assert found["items"][0]["pending"] == 1
    found = json.loads(exowatch("endpoints", "deliveries", "--state", "pending", "--config", config, "--format", "json").stdout)
    assert [one["id"] for one in found["items"]] == [delivery_id]
    assert exowatch("endpoints", "redeliver", delivery_id, "--config", config).returncode == 0
    for wrong in (("redeliver", "d_0"), ("test", "none"), ("deliveries", "none")):
        answer = exowatch("endpoints", *wrong, "--config", config)
        assert (answer.returncode, answer.stderr.count("\n"), "Traceback" in answer.stderr) == (1, 1, False)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("mentions", "--type", "nonsense"), 2, "skin_efficacy"),
        (("mentions", "--limit", "0"), 2, "1 to 500"),
        (("mentions", "--since", "soon"), 2, "24h"),
        (("mentions", "--since", "24"), 2, "24h"),
        (("mentions", "--colour", "red"), 2, "--colour"),
        (("nonsense",), 2, "nonsense"),
        (("claims",), 1, "there is no database"),
        (("claim", "c_1"), 1, "there is no database"),
    ],
)
def test_errors_are_one_sentence_on_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, says: str
) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text('data_dir = "var"\n')
    with pytest.raises(SystemExit) as end:
        main(["--config", str(config), *arguments])
    out, err = capfd.readouterr()
    assert (end.value.code, out) == (status, "")
    assert err.startswith("exowatch: ")
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "var").exists()


def test_a_config_that_is_wrong_or_missing_is_one_sentence(tmp_path: Path) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text("colour = 1\n")
    for file in (config, tmp_path / "none.toml"):
        answer = exowatch("claims", "--config", file)
        assert (answer.returncode, answer.stderr.count("\n"), str(file) in answer.stderr) == (1, 1, True)


def test_a_database_that_is_not_ours_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "exowatch.sqlite").write_bytes(b"")
    config = tmp_path / "monitor.toml"
    config.write_text('data_dir = "var"\n')
    answer = exowatch("claims", "--config", config)
    assert (answer.returncode, answer.stderr.count("\n"), "exowatch run" in answer.stderr) == (1, 1, True)


@pytest.mark.parametrize(
    "command",
    [
        "mentions",
        "claims",
        "alerts",
        "sources",
        "claim",
        "reviews export",
        "explain",
        "classify",
        "evidence list",
        "evidence show",
        "evidence check",
        "endpoints list",
        "endpoints test",
        "endpoints deliveries",
        "endpoints redeliver",
        "export",
        "watch",
        "token new",
        "completion",
        "mcp",
    ],
)
def test_every_command_explains_itself_with_an_example(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command.split(), "--help"])
    assert end.value.code == 0
    assert f"exowatch {command}" in " ".join(capfd.readouterr().out.partition("Example:")[2].split())


def test_a_database_that_refuses_us_is_not_called_one_of_another_version(tmp_path: Path, postgres_server: Postgres) -> None:
    file = tmp_path / "monitor.toml"
    url = postgres_server.empty_database()
    for role, said in (("exowatch", "exowatch run"), ("nobody", 'role "nobody" does not exist')):
        file.write_text(f'[store]\nurl = "{url.replace("exowatch@", f"{role}@")}"\n')
        done = exowatch("claims", "--config", file)
        assert done.returncode == 1
        assert said in done.stderr
        assert ("not of this version" in done.stderr) == (role == "exowatch")
        assert len(done.stderr.splitlines()) == 1
