"""The command line as a person sees it: tables that fit, colours where they are wanted, completion, the live tail."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.table import fit
from monitor.ids import claim_id_of, public_id
from monitor.settings import Settings
from monitor.store import Database
from monitor.stream import Signal, Stream
from tests.daemon_process import PATIENCE_S, files, written
from tests.launcher import ROOT, launch
from tests.samples import judged, occurrence, write
from tests.servers import RedisServer
from tests.test_cli_query import configured, exowatch, on_a_terminal

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config file whose SQLite database holds a few records."""
    return configured(tmp_path, f"sqlite:///{tmp_path}/var/exowatch.sqlite")


@pytest.mark.parametrize("columns", [200, 100, 80, 60, 40])
def test_every_line_fits_and_ids_are_whole_however_narrow_the_terminal(config: Path, columns: int) -> None:
    for command, rows, begin in (("mentions", 5, "m_"), ("claims", 3, "c_"), ("alerts", 3, "a_")):
        shown = _COLOUR.sub("", on_a_terminal(command, "--config", str(config), columns=columns))
        lines = [line for line in shown.splitlines() if line.strip()]
        assert len(lines) == rows + 1, shown
        assert max(map(len, lines)) <= columns
        assert all(re.search(rf"\b{begin}[0-9a-z]{{13}}\b", line) for line in lines[1:]), shown


def test_long_columns_share_what_short_ones_leave_and_the_last_short_ones_go_first() -> None:
    headings = ["seen", "id", "platform", "claims", "text"]
    long = [False, False, False, True, True]
    assert fit([16, 15, 6, 20, 30], headings, long, 200) == [16, 15, 6, 20, 30]
    assert fit([16, 15, 6, 20, 300], headings, long, 100) == [16, 15, 6, 20, 35]
    assert fit([16, 15, 6, 200, 300], headings, long, 80) == [16, 15, 6, 17, 18]
    assert fit([16, 15, 6, 200, 300], headings, long, 50) == [0, 15, 0, 15, 16]
    assert fit([16, 15, 6, 200, 300], headings, long, 10) == [0, 15, 0, 0, 0]


def test_colours_are_for_terminals_that_want_them(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[31m" in on_a_terminal("claims", "--config", str(config))  # a contradicted one
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3\dm", on_a_terminal("claims", "--config", str(config)))
    assert "\x1b" not in exowatch("claims", "--config", config).stdout


def complete(words: str, at: int) -> list[str]:
    environ = {**os.environ, "_EXOWATCH_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    with files("") as (given, out, err):
        launch((), given.fileno(), out.fileno(), err.fileno(), environ).wait_here(PATIENCE_S)
        return [line.partition(",")[2] for line in written(out).splitlines()]


def test_shells_complete_commands_options_and_values() -> None:
    assert complete("exowatch ment", 1) == ["mentions", "mention"]
    assert complete("exowatch evidence s", 2) == ["show"]
    assert "--verdict" in complete("exowatch mentions --v", 2)
    assert complete("exowatch claims --verdict un", 3) == ["unsupported"]
    for shell in ("bash", "zsh", "fish"):
        script = exowatch("completion", shell)
        assert (script.returncode, "_EXOWATCH_COMPLETE" in script.stdout) == (0, True)
    assert exowatch("completion", "tcsh").returncode == 2


async def test_what_is_new_is_shown_as_it_comes(tmp_path: Path, redis_server: RedisServer) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    config = tmp_path / "monitor.toml"
    config.write_text(f'[store]\nurl = "{url}"\n[redis]\nurl = "{redis_server.url}"\n')
    database = Database(Settings(store={"url": url}).sqlalchemy_url)
    await database.migrate()
    stream = await Stream.open(redis_server.url)

    async def listener(*arguments: str) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "monitor", "watch", "--config", str(config), *arguments]
        return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)

    listeners = [await listener(), await listener("--type", "safety", "--event", "claim", "--format", "jsonl")]
    while redis_server.ask("INFO", "clients").count(b"blocked_clients:2") == 0:
        await asyncio.sleep(0.02)
    for n, (key, kind) in enumerate((("a", "mechanism"), ("b\x1b[31m", "safety"))):
        text = f"{key} cures all"
        result = await write(database, judged(key, text, occurrence(text, text, key, type=kind), n=n))
        signals = [Signal("mention", public_id("m", number)) for number in result.stored]
        await stream.signal(*signals, *(Signal("alert", public_id("a", number)) for number in result.alerts))
    async with asyncio.timeout(60):
        lines = [(await listeners[0].stdout.readline()).decode() for _ in range(4)]  # type: ignore[union-attr]
        record: dict[str, Any] = json.loads(await listeners[1].stdout.readline())  # type: ignore[union-attr]
    for one in listeners:
        one.terminate()
        await one.wait()
    await stream.close()
    await database.close()
    assert [line.split()[0] for line in lines] == ["claim", "alert", "claim", "alert"]
    assert "contradicted mechanism, asserts" in lines[0]
    assert claim_id_of("a") in lines[1]
    assert "\x1b" not in "".join(lines)
    assert (record["event"], record["data"]["type"]) == ("claim", "safety")


def test_without_a_daemon_the_tail_says_what_to_start(config: Path) -> None:
    done = exowatch("watch", "--config", config)
    assert (done.returncode, done.stderr.count("\n"), "exowatch run" in done.stderr) == (1, 1, True)
