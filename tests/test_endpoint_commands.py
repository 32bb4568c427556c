"""`endpoints test` against a sender that runs, and every try in `endpoints deliveries`."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.cli.output import short_time
from monitor.settings import Settings, load
from monitor.store import Database, deliveries, parse_filters
from monitor.store import endpoints as stored_endpoints
from monitor.times import now_ms, rfc3339
from tests.delivering import Clock, raise_claim, sender
from tests.receiver import SECRET, Receiver, retry_after, status
from tests.test_cli_query import on_a_terminal
from tests.test_store import NOW
from workers.deliver.schedule import WAITS
from workers.deliver.sender import Sender


def configured(folder: Path, url: str, *lines: str, secret: str = SECRET) -> Path:
    file = folder / "monitor.toml"
    hook = f'[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "{url}"\nsecret = "{secret}"\nallow_private = true\n'
    store = f'data_dir = "{folder}/var"\n[store]\nurl = "sqlite:///{folder}/store.sqlite"\n'
    file.write_text(store + hook + "\n".join(lines))
    return file


async def run(file: Path, *arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, cli, ["endpoints", *arguments, "--config", str(file)])


@asynccontextmanager
async def opened(file: Path) -> AsyncIterator[Database]:
    database = Database(load(file).sqlalchemy_url)
    await database.migrate()
    yield database
    await database.close()


@asynccontextmanager
async def at_work(file: Path) -> AsyncIterator[Settings]:
    """A sender of this configuration that runs, by the clock of the world."""
    settings, stop = load(file), asyncio.Event()
    async with opened(file) as database:
        running = asyncio.create_task(Sender(database, settings.endpoint).run(stop))
        yield settings
        stop.set()
        await running


def last_delivered(listed: Result) -> str:
    heading, line = (row.split("\t") for row in listed.stdout.splitlines())
    return dict(zip(heading, line, strict=True))["last delivered"]


async def test_a_test_that_arrives_says_so(tmp_path: Path) -> None:
    began = now_ms()
    async with Receiver() as receiver, at_work(configured(tmp_path, receiver.url)):
        before = await run(tmp_path / "monitor.toml", "list")
        tried = await run(tmp_path / "monitor.toml", "test", "hook")
        after = await run(tmp_path / "monitor.toml", "list")
    assert tried.exit_code == 0, tried.output
    assert "It arrived: answered 204 after" in tried.output
    assert "tried again" not in tried.output
    assert [got.event["type"] for got in receiver.kept] == ["test"]
    assert last_delivered(before) == ""
    assert short_time(rfc3339(began)) <= last_delivered(after) <= short_time(rfc3339(now_ms()))


async def test_a_test_that_is_refused_says_what_it_means_and_fails(tmp_path: Path) -> None:
    wrong = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    async with Receiver() as receiver, at_work(configured(tmp_path, receiver.url, secret=wrong)):
        tried = await run(tmp_path / "monitor.toml", "test", "hook")
    assert (tried.exit_code, receiver.forged) == (1, 1), tried.output
    assert "answered 401" in tried.output
    assert "compare the secret at both ends" in tried.output
    assert "The answer began: the signature does not verify" in tried.output
    assert "`exowatch endpoints deliveries hook` shows every try" in tried.output


async def test_a_test_that_finds_nobody_there_fails(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and nobody listens
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/hush"
        async with at_work(configured(tmp_path, url)):
            tried = await run(tmp_path / "monitor.toml", "test", "hook")
    assert tried.exit_code == 1, tried.output
    assert "It did not arrive: no connection to 127.0.0.1" in tried.output
    assert "hush" not in tried.output


async def test_a_test_that_nobody_tries_says_what_it_waits_for(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        file = configured(tmp_path, receiver.url)
        async with opened(file):
            nobody = await run(file, "test", "hook", "--wait", "0.1")
        assert "start `exowatch run`" in nobody.output
        receiver.always(retry_after(429, "600"))
        async with at_work(file):
            first = await run(file, "test", "hook")
            asked = now_ms() + 600_000
            second = await run(file, "test", "hook", "--wait", "4")
        assert (first.exit_code, second.exit_code) == (1, 0), first.output + second.output
        assert f"asked with Retry-After to be left alone until {rfc3339(asked)[:15]}" in second.output
        listed = await run(file, "list")
        assert rfc3339(asked)[:15].replace("T", " ") in listed.output
        assert 1 <= len(receiver.kept) <= 2


async def test_a_test_behind_a_rate_says_when_it_goes_out(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        file = configured(tmp_path, receiver.url, 'rate = "6/h"')
        async with at_work(file):
            before = await run(file, "test", "hook")
            sent = now_ms()
            behind = await run(file, "test", "hook", "--wait", "4")
        assert (before.exit_code, len(receiver.kept)) == (0, 1), before.output
        assert "The rate of hook is used up at the moment, and 1 delivery waits for it" in behind.output
        assert rfc3339(sent + 600_000)[:15] in behind.output


@pytest.fixture
async def tried(tmp_path: Path) -> tuple[Path, str]:
    """A config whose database holds a delivery that was tried three times and one that was not yet, and the first one's id."""
    clock = Clock()
    file = configured(tmp_path, "https://example.org")
    async with opened(file) as database, Receiver(clock=clock) as receiver:
        receiver.script(status(500, "out of\norder \x1b[31m" + "x" * 2_000), status(401, "who are you?"))
        await raise_claim(database, 1)
        for wait in WAITS[:3]:
            await sender(database, clock, receiver.endpoint()).flush()
            clock.now += wait
        async with database.read() as connection:
            (first,) = (await deliveries.page(connection, parse_filters({}))).items
        await raise_claim(database, 2)
    return file, first.id


async def test_every_try_of_an_endpoint_or_a_delivery_has_a_row(tried: tuple[Path, str]) -> None:
    file, first = tried
    rows = [line.split("\t") for line in (await run(file, "deliveries", first)).output.splitlines()]
    assert rows[0] == ["id", "try", "time", "status", "ms", "state", "answer"]
    assert [row[:2] + row[3:4] for row in rows[1:]] == [[first, "3", "204"], [first, "2", "401"], [first, "1", "500"]]
    assert rows[3][2] == rfc3339(NOW)[:19].replace("T", " ")
    assert all(row[4].isdigit() for row in rows[1:])
    assert [row[5] for row in rows[1:]] == ["delivered", "", ""]
    assert rows[2][6] == "who are you?"
    assert rows[3][6].startswith("out of order ")
    assert "\x1b" not in rows[3][6]
    of_endpoint = (await run(file, "deliveries", "hook")).output.splitlines()
    assert len(of_endpoint) == 5
    assert of_endpoint[1].split("\t")[1:6] == ["", "", "", "", "pending"]
    assert len((await run(file, "deliveries")).output.splitlines()) == 3, "else one row a delivery"
    found = json.loads((await run(file, "deliveries", first, "--format", "json")).output)["items"]
    assert [one["status"] for one in found[0]["attempts"]] == [500, 401, 204]
    missing = await run(file, "deliveries", "d_0000000000000")
    assert (missing.exit_code, "there is no delivery d_0000000000000" in missing.output) == (1, True)


async def test_on_a_terminal_the_answer_is_cut_to_its_width(tried: tuple[Path, str]) -> None:
    file, _ = tried
    shown: Any = await asyncio.to_thread(on_a_terminal, "endpoints", "deliveries", "hook", "--config", str(file), columns=100)
    lines = [line for line in shown.splitlines() if line.strip()]
    assert len(lines) == 5
    assert "out of order" in shown
    assert "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" not in shown


async def test_a_hold_is_lifted_when_a_disabled_endpoint_is_enabled(tmp_path: Path) -> None:
    async with opened(configured(tmp_path, "https://example.org")) as database, database.write() as connection:
        await stored_endpoints.declare(connection, ["hook"])
        await stored_endpoints.failed(connection, "hook", "answered 429", 5, 9)
        await stored_endpoints.disable(connection, "hook", "answered 410")
        await stored_endpoints.declare(connection, ["hook"])
        assert (await stored_endpoints.standing(connection, "hook")).held_until_ms == 0
