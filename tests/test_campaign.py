"""The fault campaign in its short form (`make campaign` is the long one): the same code, some hundred posts, seconds a fault."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from monitor.settings import Settings
from monitor.settings.model import Alerts
from monitor.store import Database, record
from monitor.store.judged import Judged
from monitor.times import now_ms
from monitor.topic import load_topic
from monitor.words import Post
from tests.campaign import clock
from tests.campaign.__main__ import KILLS, POSTS
from tests.campaign.campaign import plan, run, shares
from tests.campaign.checker import Verdict, check
from tests.campaign.report import table
from tests.campaign.talk import SPREADING, Talk, write_pack
from tests.launcher import ROOT
from tests.postgres import Postgres
from tests.receiver import Receiver
from tests.servers import BINARIES, RedisServer
from workers.alert import drafts
from workers.judgement import Judge

TALK = Talk(seed=3, posts=120, claims=6, sources=4)


async def test_what_breaks_loses_nothing_doubles_nothing_and_keeps_the_order(tmp_path: Path, postgres_server: Postgres) -> None:
    given = plan(seed=7, posts=600, kills=6, names=(), short=True)
    phases = await run(given, tmp_path / "campaign")
    assert [phase.fault.name for phase in phases if not phase.good] == [], table(phases)
    assert len(phases) == len(given.faults)
    assert sum(phase.kills for phase in phases) >= 6


def test_the_seed_decides_posts_and_the_order_of_faults() -> None:
    one, again, other = (plan(seed=seed, posts=600, kills=6, names=(), short=False) for seed in (1, 1, 2))
    assert one == again
    assert one.faults != other.faults
    assert set(one.faults) == set(other.faults)
    talks = [Talk(seed, 600, 30, 4).said for seed in (1, 1, 2)]
    assert talks[0] == talks[1] != talks[2]


def test_without_libfaketime_only_the_clocks_that_jump_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "LIBRARIES", ["libfaketimeMT.so.1"])
    all_of_them = plan(seed=7, posts=600, kills=6, names=(), short=True).faults
    monkeypatch.setattr(clock, "LIBRARIES", [])
    without = plan(seed=7, posts=600, kills=6, names=(), short=True).faults
    assert {fault.name for fault in all_of_them} - {fault.name for fault in without} == {"clock-jumps"}
    with pytest.raises(ValueError, match="apt install faketime"):
        plan(seed=7, posts=600, kills=6, names=("clock-jumps",), short=True)


def test_twenty_thousand_posts_and_two_hundred_kills_are_for_many_processes() -> None:
    given = plan(seed=7, posts=POSTS, kills=KILLS, names=(), short=False)
    shared = shares(given)
    assert (sum(posts for posts, _ in shared.values()), sum(kills for _, kills in shared.values())) == (POSTS, KILLS)
    of_many = [some for kind, some in shared.items() if kind != "alone"]
    assert sum(posts for posts, _ in of_many) >= 20_000
    assert sum(kills for _, kills in of_many) >= 200


@pytest.fixture(scope="module")
def all_told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a database in which all of the talk is stored, alerted and delivered, and of the receipts."""
    folder = tmp_path_factory.mktemp("told")
    asyncio.run(tell_all(folder))
    file = folder / "store.sqlite"
    with sqlite3.connect(file) as plain:
        plain.execute("UPDATE delivery SET state = 'delivered'")
        sent = plain.execute("SELECT webhook_id, alert_id FROM delivery ORDER BY alert_id").fetchall()
    plain.close()
    (folder / "receipts.jsonl").write_text(
        "".join(json.dumps({"webhook": w, "alert": str(a), "type": "claim.new"}) + "\n" for w, a in sent)
    )
    return folder


@pytest.fixture
def survived(all_told: Path, tmp_path: Path) -> tuple[Path, Path]:
    """That database and those receipts, to be harmed."""
    folder = shutil.copytree(all_told, tmp_path / "told")
    return folder / "store.sqlite", folder / "receipts.jsonl"


async def tell_all(folder: Path) -> None:
    database = Database(Settings(store={"url": f"sqlite:///{folder}/store.sqlite"}).sqlalchemy_url)
    await database.migrate()
    write_pack(folder)
    judge, rules, hook = (
        Judge(load_topic(folder / "topics" / "bread")),
        Alerts(spreading=list(SPREADING)),
        Receiver().endpoint(),
    )
    for said in TALK.said:
        if said.number is None:
            continue
        platform, name = TALK.name(said)
        post = Post(platform=platform, id=name, text=said.text, author=said.author, source="s")
        judgement, origins = judge.weigh(name, said.text)
        asks = partial(drafts, post=post, alerts=rules, endpoints=[hook])
        number = now_ms() << 21 | said.n
        one = Judged(
            number=number,
            seen_ms=number >> 21,
            post=post,
            judgement=judgement,
            origins=origins,
            alerts=asks(judgement),
            asks=asks,
        )
        await record.put(database, [one])
    await database.close()


async def looked_at(file: Path, receipts: Path) -> Verdict:
    return await check(f"sqlite://{file}", TALK, TALK.posts, receipts)


# The table without its keys, which are what keeps a row from being there twice.
LOOSE = "CREATE TABLE loose AS SELECT * FROM {0}; DROP TABLE {0}; ALTER TABLE loose RENAME TO {0};"


async def test_the_checker_finds_nothing_where_all_is_well(survived: tuple[Path, Path]) -> None:
    verdict = await looked_at(*survived)
    assert (verdict.good, verdict.words, verdict.again, verdict.refused) == (True, [], 0, 0)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("DELETE FROM mention WHERE id = (SELECT MIN(id) FROM mention)", "posts lost"),
        ("DELETE FROM mention_text WHERE mention_id = (SELECT MIN(id) FROM mention)", "posts without their text"),
        ("UPDATE mention SET platform_id = 'another' WHERE id = (SELECT MIN(id) FROM mention)", "posts that nobody wrote"),
        ("DELETE FROM alert WHERE id = (SELECT MIN(id) FROM alert)", "alerts not raised"),
        ("UPDATE alert SET claim_id = (SELECT MAX(claim_id) FROM alert)", "alerts raised without need"),
        ("UPDATE delivery SET state = 'dead'", "deliveries given up"),
        ("UPDATE delivery SET webhook_id = webhook_id || 'x'", "alerts that never arrived"),
        ("UPDATE claim SET mentions = mentions + 1", "counts or claims that are not what was said"),
        (LOOSE.format("mention") + "INSERT INTO mention SELECT * FROM mention LIMIT 1;", "posts stored twice"),
        (LOOSE.format("alert") + "INSERT INTO alert SELECT * FROM alert LIMIT 1;", "alerts raised twice"),
    ],
)
async def test_the_checker_sees_what_is_wrong_in_the_database(survived: tuple[Path, Path], harm: str, said: str) -> None:
    file, _ = survived
    with sqlite3.connect(file) as plain:
        plain.executescript(harm)
    verdict = await looked_at(*survived)
    assert not verdict.good
    assert any(said in words for words in verdict.words), verdict.words


async def test_the_checker_sees_what_arrived_late_never_or_twice(survived: tuple[Path, Path]) -> None:
    _, receipts = survived
    lines = receipts.read_text().splitlines()
    receipts.write_text("\n".join([*lines, lines[0]]))
    verdict = await looked_at(*survived)
    assert (verdict.good, verdict.again) == (True, 1), "a receiver has to expect one alert twice under its id"
    receipts.write_text("\n".join(reversed(lines)))
    assert (await looked_at(*survived)).late_order
    receipts.write_text("\n".join(lines[1:]))
    assert (await looked_at(*survived)).unheard == 1


async def test_the_checker_sees_an_alert_that_arrived_under_two_ids(survived: tuple[Path, Path]) -> None:
    file, receipts = survived
    with sqlite3.connect(file) as plain:
        plain.executescript(
            LOOSE.format("delivery")
            + "INSERT INTO delivery SELECT * FROM delivery LIMIT 1;"
            + "UPDATE delivery SET webhook_id = webhook_id || 'x' WHERE rowid = (SELECT MAX(rowid) FROM delivery);"
        )
    first = json.loads(receipts.read_text().splitlines()[0])
    with receipts.open("a") as more:
        more.write(json.dumps({**first, "webhook": first["webhook"] + "x"}) + "\n")
    verdict = await looked_at(file, receipts)
    assert not verdict.good
    assert f"1 alerts under two ids: {first['alert']}" in verdict.words, verdict.words


async def test_the_checker_sees_what_the_stream_set_aside(survived: tuple[Path, Path], redis_server: RedisServer) -> None:
    file, receipts = survived
    gone = RedisServer(BINARIES[0])  # as one whose place another took
    asked = partial(check, f"sqlite://{file}", TALK, TALK.posts, receipts, [gone.ask, redis_server.ask], 2)
    assert (await asked()).good
    redis_server.ask("XADD", "exowatch:v1:{p1}:dead", "*", "d", "a post that was stored before, by another delivery")
    verdict = await asked()
    assert (verdict.good, verdict.dead, verdict.lost) == (False, 1, 0)
    assert verdict.words == ["1 streams with posts that were set aside: 1 in exowatch:v1:{p1}:dead"]
    gone.remove()


def test_an_end_in_the_middle_leaves_no_process_behind(tmp_path: Path) -> None:
    folder = tmp_path / "campaign"
    command = [sys.executable, "-m", "tests.campaign", "--short", "--faults", "alone-disk-full", "--keep", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    server = folder / "alone" / "place" / "data" / "redis" / "server.json"
    until(server.exists)
    assert len(named(folder)) >= 2
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    until(lambda: not named(folder))
    assert not os.path.ismount(folder / "alone" / "place")


def named(folder: Path) -> list[str]:
    """The processes whose command or working folder is below that one, but for the campaign itself."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            words = (one / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = f"{words} {(one / 'cwd').readlink()}"
        except OSError:
            continue
        if str(folder) in place and "--keep" not in words:
            found.append(words)
    return found


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, holds
        time.sleep(0.05)
