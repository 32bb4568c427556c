"""A model as the classifier of the daemon, the worker and the commands, and the setting that asks for it."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.check import _classifier
from monitor.settings import Classifier, Settings, SettingsError, load
from monitor.store import Database, claims, mentions, parse_filters
from monitor.stream import Stream
from tests.abuse import post_of, write_config
from tests.daemon_process import run_command, running_daemon, until
from tests.receiver import Receiver
from tests.standins.chat_server import ChatServer, answer, claim
from tests.test_openai_reader import JUDGE, TOPIC
from tests.test_pipeline import done, item, posts
from workers.openai.reader import OpenAIReader
from workers.pipeline import Worker
from workers.reader import LocalReader, PostReader

APPROVED = "These exosomes are FDA approved"
LOCAL = JUDGE.classifier.version


def model(text: str) -> Any:
    """Finds a claim that the lexicon would never find in these posts."""
    return answer(claim(text[:20], "treats-gout"))


def section(server: ChatServer, **more: Any) -> str:
    values = {"kind": "openai", "base_url": server.url, "model": "reader-1", "api_key": "sk-test", "timeout": "5s"} | more
    return "[classifier]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


# The worker


def worker(reader: PostReader, stream: Stream, database: Database, name: str, **more: Any) -> tuple[asyncio.Event, Any]:
    stop = asyncio.Event()
    return stop, asyncio.create_task(Worker(name, stream, database, reader, Settings(), **more).run(stop))


async def test_what_a_slow_model_reads_stays_in_hand(stream: Stream, database: Database) -> None:
    async with ChatServer(model) as server:
        reader = OpenAIReader(JUDGE, TOPIC, server.settings())
        server.hold()
        await stream.publish([item(post) for post in posts(3)])
        stop, slow = worker(reader, stream, database, "worker-0", claim_after_s=0.2)
        await server.until_in_hand(3)
        other_stop, other = worker(LocalReader(JUDGE), stream, database, "worker-1", claim_after_s=0.2)
        await asyncio.sleep(1)  # five times what makes an entry anyone's
        assert (await stream.stats()).pending == 3
        server.release()
        await done(stream)
        for event, task in ((stop, slow), (other_stop, other)):
            event.set()
            await task
        await reader.close()
        assert len(server.requests) == 3
    async with database.read() as connection:
        (found,) = (await claims.page(connection, parse_filters({}))).items
    assert (found.claim, found.mentions) == ("Exosomes treat gout.", 3)


async def test_a_worker_that_is_stopped_hands_back_what_the_model_still_reads(
    stream: Stream, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.pipeline.RENEW_EVERY_S", 0.1)
    async with ChatServer(model) as server:
        reader = OpenAIReader(JUDGE, TOPIC, server.settings(timeout=60))
        server.hold()
        await stream.publish([item(post) for post in posts(3)])
        stop, running = worker(reader, stream, database, "worker-0")
        await server.until_in_hand(3)
        stop.set()
        async with asyncio.timeout(5):
            await running
        await reader.close()
    another = stream.reader("worker-1")
    taken = await another.read(10, 0.5)
    await another.close()
    assert [entry.deliveries for entry in taken] == [1, 1, 1], "at once, and the first time does not count"


# The daemon


async def test_the_daemon_judges_by_the_model_and_by_itself_while_the_model_is_away(tmp_path: Path) -> None:
    async with ChatServer(model) as server, Receiver() as receiver:
        config = write_config(tmp_path, section(server), hook=receiver.url)
        async with running_daemon(config) as daemon:
            await daemon.post("/mentions", [post_of("1", "Exosomes by the moonlight")])
            (got,) = await receiver.got(1)
            assert got.event["data"]["claim"]["claim"] == "Exosomes treat gout."
            assert "reader-1" in got.event["data"]["occurrence"]["why"]
            server.model = lambda _: "no JSON"
            await daemon.post("/mentions", [post_of("2", APPROVED)])
            got = (await receiver.got(2))[1]
            assert got.event["data"]["occurrence"]["type"] == "regulatory_status"
            _, metrics = await daemon.raw("/metrics")
            assert re.search(r'^exowatch_classifier_fallbacks_total\{[^}]*reason="invalid"[^}]*\} 1\.0$', metrics, re.M)
            assert "the local classifier judges instead" in daemon.log()
        assert "sk-test" not in daemon.log() + metrics


async def test_worker_processes_share_one_cap(tmp_path: Path) -> None:
    async with ChatServer(model) as server:
        config = write_config(tmp_path, section(server, daily_cap=5_000))
        async with running_daemon(config, "run", "--workers", "2") as daemon:
            await daemon.post("/mentions", [post_of(str(n), f"Exosomes by the moonlight {n}") for n in range(40)])
            await until(lambda: daemon.get("/mentions?limit=500"), lambda page: len(page["items"]) == 40)
        assert 1 <= len(server.requests) <= 5 + 8  # a thousand tokens each, and what two processes have in flight


async def test_the_judgement_of_a_stored_post_is_the_models(stream: Stream, database: Database) -> None:
    async with ChatServer(model) as server:
        reader = OpenAIReader(JUDGE, TOPIC, server.settings())
        await stream.publish([item(post) for post in posts(1)])
        stop, running = worker(reader, stream, database, "worker-0")
        await done(stream)
        stop.set()
        await running
        await reader.close()
    async with database.read() as connection:
        (mention,) = (await mentions.page(connection, parse_filters({}))).items
    assert [(one.quote, one.claim) for one in mention.claims] == [("Exosome injections c", "Exosomes treat gout.")]


# The commands


async def test_classify_asks_the_model_and_keeps_the_order(tmp_path: Path) -> None:
    lines = [f"Exosomes by the moonlight {number}" for number in range(8)] + ["nothing of the kind", '{"id": 1}']
    file = tmp_path / "posts.txt"
    file.write_text("\n".join(lines))
    async with ChatServer(model) as server:
        config = write_config(tmp_path, section(server))
        server.hold()
        running = asyncio.create_task(run_command("--config", str(config), "classify", str(file)))
        await server.until_in_hand(4)  # side by side
        server.release()
        status, out, err = await running
        piped = await run_command("--config", str(config), "classify", stdin=lines[0] + "\n")
    judgements = [json.loads(line) for line in out.splitlines()]
    assert [one["id"] for one in judgements] == [str(number) for number in range(1, 10)]
    assert [one["classifier"].startswith("openai-reader-1+") for one in judgements] == [True] * 8 + [False]
    assert (status, err) == (1, 'exowatch: line 10: an object without "text"\n')
    assert piped == (0, out.splitlines()[0] + "\n", "")
    assert not (tmp_path / "data").exists(), "without a cap there is nothing to remember"


async def test_classify_keeps_to_the_daily_cap_from_one_run_to_the_next(tmp_path: Path) -> None:
    async with ChatServer(model) as server:
        config = write_config(tmp_path, section(server, daily_cap=1_500, concurrency=1))
        for expected in (2, 2):  # a thousand tokens each: two today, and not one more in the second run
            _, out, err = await run_command("--config", str(config), "classify", stdin="Exosomes by the moonlight\n" * 3)
            assert len(out.splitlines()) == 3
            assert "daily_cap" in err
            assert len(server.requests) == expected


async def test_classify_goes_on_without_the_server_and_says_so_once(tmp_path: Path) -> None:
    async with ChatServer() as server:
        config = write_config(tmp_path, section(server))
    status, out, err = await run_command("--config", str(config), "classify", stdin=f"{APPROVED}\n" * 5)
    assert status == 0
    assert {json.loads(line)["classifier"] for line in out.splitlines()} == {LOCAL}
    assert len(err.splitlines()) == 1
    assert "refuses the connection" in err


CHECKS: list[tuple[dict[str, Any], bool, str]] = [
    ({}, True, "answers and has the model reader-1; no daily cap is set"),
    ({"daily_cap": 20_000}, True, "answers and has the model reader-1; spent today: 0 tokens of 20,000 tokens"),
    ({"daily_cap": 2.5, "price_in": 1, "price_out": 2}, True, "spent today: $0 of $2.5"),
    ({"model": "reader-2"}, False, "has no model reader-2; set classifier.model to one it has: reader-1, writer-1"),
    ({"api_key": "sk-wrong"}, False, "does not accept the key (401); set classifier.api_key"),
]


@pytest.mark.parametrize(("more", "fine", "said"), CHECKS)
async def test_check_finds_out_without_a_question(tmp_path: Path, more: dict[str, Any], fine: bool, said: str) -> None:
    async with ChatServer() as server:
        settings = load(write_config(tmp_path, section(server, **more), store=f"sqlite:///{tmp_path}/store.sqlite"))
        database = Database(settings.sqlalchemy_url)
        await database.migrate()
        await database.close()
        finding = await _classifier(settings)
        assert server.requests == [], "a list of models costs nothing"
    assert finding.ok == fine
    assert said in finding.text
    assert "sk-" not in finding.text


async def test_check_asks_a_small_question_where_there_is_no_list_of_models(tmp_path: Path) -> None:
    async with ChatServer() as server:
        server.lists_models = False
        assert (await _classifier(load(write_config(tmp_path, section(server))))).ok
        assert len(json.dumps(server.requests)) < 500
        without_v1 = await _classifier(load(write_config(tmp_path, section(server, base_url=server.origin))))
    assert not without_v1.ok
    assert "has no chat/completions there" in without_v1.text


async def test_check_says_in_one_sentence_that_the_server_is_dead(tmp_path: Path) -> None:
    async with ChatServer() as server:
        config = write_config(tmp_path, section(server))
    status, out, _ = await run_command("--config", str(config), "check")
    assert status == 1
    assert re.search(r"^FAILED classifier: 127\.0\.0\.1:\d+ refuses the connection; is its server running", out, re.M)


# The setting


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "claude"', "classifier.kind"),
        ('kind = "openai"', "needs base_url"),
        ('kind = "openai"\nbase_url = "http://h/v1"', "needs base_url"),
        ('base_url = "ftp://h/v1"', "http://"),
        ('base_url = "http://u:hunter2@h/v1"', "api_key"),
        ('base_url = "http://h/v1?key=hunter2"', "no ?"),
        ('api_key = "hunter2 hunter2"', "without blanks"),
        ('api_key = "env:NOWHERE"', "NOWHERE is not set"),
        ('timeout = "0.1s"', '"1s"'),
        ("concurrency = 0", "classifier.concurrency"),
        ("price_in = 1.0", "price_in and price_out go together"),
        ("daily_cap = 5", "set both prices"),
        ("daily_cap = -1", "classifier.daily_cap"),
        ("daily_cap = nan", "classifier.daily_cap"),
        ('modle = "x"', "allowed here: api_key, base_url"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "monitor.toml"
    file.write_text(f"[classifier]\n{text}\n")
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert said in str(caught.value)
    assert "classifier" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_every_key_may_stand_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "monitor.toml").write_text("")
    values = {
        "kind": "openai",
        "base_url": "http://127.0.0.1:8000/v1/",
        "model": "m",
        "api_key": "env:MODEL_KEY",
        "timeout": "45s",
        "concurrency": "8",
        "daily_cap": "2.5",
        "price_in": "0.15",
        "price_out": "0.6",
    }
    assert values.keys() == Classifier.model_fields.keys()
    monkeypatch.setenv("MODEL_KEY", "sk-secret")
    for name, value in values.items():
        monkeypatch.setenv(f"EXOWATCH_CLASSIFIER__{name.upper()}", value)
    read = load(tmp_path / "monitor.toml").classifier
    assert (read.kind, read.base_url, read.timeout, read.concurrency) == ("openai", "http://127.0.0.1:8000/v1", 45.0, 8)
    assert (read.daily_cap, read.priced, read.api_key.get_secret_value()) == (2.5, True, "sk-secret")
    assert "sk-secret" not in repr(read)
