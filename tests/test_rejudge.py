"""History through the present classifier and register: what would change, then the change, and nothing told but verdicts."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import main
from monitor.ids import claim_id_of
from monitor.store import Database, alerts, claims, mentions, parse_filters, reviews
from monitor.store.filters import number_range
from monitor.topic import Topic, load_topic
from monitor.words import Claim, Mention
from tests.daemon_process import ROOT
from tests.packs import CURES_TEXT, FLOUR_TEXT, LEXICON, Judging, bread, verdict_of
from tests.receiver import SECRET
from workers import rejudge
from workers.judgement import Judge
from workers.reader import LocalReader
from workers.rejudge import Applied, Outlook, Rejudging

CURED, FLOUR, RYE = claim_id_of("cures-coeliac-disease"), claim_id_of("made-of-flour"), claim_id_of("made-of-rye")
EVERYTHING = number_range(parse_filters({}))
# A later lexicon finds flour only where it says so in other words, and rye for the first time.
LATER = (
    (LEXICON, 'when: ["made of|from flour"]', 'when: ["consists of flour"]'),
    (LEXICON, "", '  - key: made-of-rye\n    claim: Sourdough bread is made of rye.\n    when: ["made of|from rye"]\n'),
)
RYE_TEXT = "This sourdough is made from rye"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return tmp_path / "topics/bread"


@asynccontextmanager
async def running(database: Database, topic: Topic) -> AsyncIterator[Rejudging]:
    run = Rejudging(database, topic, LocalReader(Judge(topic)), ("US", "UK", "EU"), ())
    try:
        yield run
    finally:
        run.close()


def nobody(_: int) -> None:
    """Nobody watches."""


async def rejudged(database: Database, topic: Topic) -> tuple[Outlook, Applied]:
    async with running(database, topic) as run:
        outlook = await run.look(EVERYTHING, nobody)
        return outlook, await run.apply(asyncio.Event(), nobody)


async def everything(database: Database) -> tuple[dict[str, Mention], dict[str, Claim], list[str]]:
    """Mentions by key, claims by id, kinds of alerts from the first on."""
    async with database.read() as connection:
        filters = parse_filters({"limit": ["500"]})
        heard = (await mentions.page(connection, filters)).items
        said = (await claims.page(connection, filters)).items
        told = (await alerts.page(connection, filters)).items
    return {one.platform_id: one for one in heard}, {one.id: one for one in said}, [one.kind for one in told][::-1]


def found_in(one: Mention) -> list[str]:
    return [place.claim_id for place in one.claims]


async def test_it_says_what_would_change_and_changes_nothing(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", CURES_TEXT), by.judged("b", FLOUR_TEXT), by.judged("c", RYE_TEXT))
    before = await everything(database)
    later = bread(pack, *LATER, verdict_of("cures-coeliac-disease", "global: supported"))
    async with running(database, later) as run:
        outlook = await run.look(EVERYTHING, nobody)
    assert (outlook.judged, outlook.up_to_date, outlook.failed) == (3, 0, 0)
    assert (outlook.other_claims, outlook.gained, outlook.lost, outlook.verdicts_changed) == (2, 1, 1, 1)
    assert (outlook.alerts_on, outlook.alerts_off) == (1, 1)
    ((gained,), (lost,)) = (outlook.gained_examples, outlook.lost_examples)
    assert (gained.mention_id, gained.claim_id, gained.verdict) == (before[0]["c"].id, RYE, "unsupported")
    assert (lost.mention_id, lost.claim_id) == (before[0]["b"].id, FLOUR)
    (change,) = outlook.verdict_examples
    assert (change.claim_id, change.before, change.now, change.mentions) == (CURED, "contradicted", "supported", 1)
    assert await everything(database) == before


async def test_it_changes_what_it_said_and_keeps_everything_else(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    posts = [by.judged(key, text, author=author, hours_ago=hours) for key, text, author, hours in (
        ("a", CURES_TEXT, "x", 3), ("b", FLOUR_TEXT, "y", 2), ("c", RYE_TEXT, "z", 1),
        ("d", f"{CURES_TEXT}; it consists of flour", "y", 1),
    )]  # fmt: skip
    await by.write(database, *posts)
    edited = by.judged("b", f"{FLOUR_TEXT}, friends", author="y", hours_ago=0.5)
    await by.write(database, edited)
    before, _, _ = await everything(database)
    assert before["b"].state == "edited"
    later = bread(pack, *LATER, verdict_of("cures-coeliac-disease", "global: supported"))
    _, applied = await rejudged(database, later)
    assert (applied.mentions, applied.passed_over, applied.told, applied.interrupted) == (4, 0, 1, False)
    heard, said, told = await everything(database)
    assert {key: found_in(one) for key, one in heard.items()} == {"a": [CURED], "b": [], "c": [RYE], "d": [CURED, FLOUR]}
    assert {key: one.alert for key, one in heard.items()} == {"a": False, "b": False, "c": True, "d": False}
    kept = ("id", "seen_at", "edited_at", "state", "text", "author")
    for key, one in heard.items():
        assert [getattr(one, name) for name in kept] == [getattr(before[key], name) for name in kept]
    numbers = {key: (one.mentions, one.authors, one.first_seen) for key, one in said.items()}
    assert numbers == {
        CURED: (2, 2, heard["a"].seen_at),
        FLOUR: (1, 1, heard["d"].seen_at),
        RYE: (1, 1, heard["c"].seen_at),
    }
    assert said[RYE].verdict == "unsupported"
    assert told == ["claim.new", "claim.verdict_changed"], "neither new claims nor harm of history are alerts"
    async with database.read() as connection:
        tagged = await mentions.page(connection, parse_filters({"text": ["rye"], "claim": [RYE]}))
        untagged = await mentions.page(connection, parse_filters({"text": ["flour"], "claim": [FLOUR]}))
    assert ([one.platform_id for one in tagged.items], [one.platform_id for one in untagged.items]) == (["c"], ["d"])


async def test_a_second_run_finds_nothing_to_do(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", CURES_TEXT), by.judged("b", FLOUR_TEXT))
    later = bread(pack, *LATER)
    await rejudged(database, later)
    before = await everything(database)
    outlook, applied = await rejudged(database, later)
    assert (outlook.judged, outlook.up_to_date, outlook.to_do, applied.mentions) == (0, 2, False, 0)
    assert await everything(database) == before


async def test_what_a_fresh_start_would_have_found_is_what_history_says_afterwards(database: Database, pack: Path) -> None:
    texts = [CURES_TEXT, FLOUR_TEXT, RYE_TEXT, f"They say that {RYE_TEXT}", f"{FLOUR_TEXT} and made from rye", "My sourdough"]
    posts = [(f"p{n}", texts[n % len(texts)], f"a{n % 7}", 40 - n / 2) for n in range(60)]
    by = Judging(bread(pack))
    await by.write(database, *(by.judged(key, text, author=author, hours_ago=hours) for key, text, author, hours in posts))
    later = bread(pack, *LATER)
    await rejudged(database, later)
    heard, said, _ = await everything(database)
    fresh = Judging(later)
    authors: dict[str, set[str]] = {}
    carried: dict[str, list[str]] = {}
    for key, text, author, hours in posts:
        judged = fresh.judged(key, text, author=author, hours_ago=hours)
        assert found_in(heard[key]) == [one.claim_id for one in judged.judgement.claims]
        assert [one.why for one in heard[key].claims] == [one.why for one in judged.judgement.claims]
        assert heard[key].alert == judged.judgement.alert
        for one in judged.judgement.claims:
            carried.setdefault(one.claim_id, []).append(key)
            authors.setdefault(one.claim_id, set())
            if one.put_forward:
                authors[one.claim_id].add(author)
    for claim_id, one in said.items():
        keys = carried.get(claim_id, [])
        assert (one.mentions, one.authors) == (len(set(keys)), len(authors.get(claim_id, ())))
        if keys:
            assert (one.first_seen, one.last_seen) == (heard[keys[0]].seen_at, heard[keys[-1]].seen_at)


async def test_merges_and_splits_hold(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    texts = {"a": CURES_TEXT, "b": CURES_TEXT, "c": FLOUR_TEXT, "d": RYE_TEXT}
    await by.write(database, *(by.judged(key, text) for key, text in texts.items()))
    async with database.write() as connection:
        own = await reviews.split(connection, CURED, ["forum:b"], "Sourdough heals a cold.", "ann")
        await reviews.merge(connection, FLOUR, CURED, "ann")
    flour_again = (LEXICON, 'when: ["made of|from flour"]', 'when: ["made of|from flour", "made of|from rye"]')
    outlook, _ = await rejudged(database, bread(pack, flour_again))
    assert (outlook.gained, outlook.lost) == (1, 0)
    heard, said, _ = await everything(database)
    assert {key: found_in(one) for key, one in heard.items()} == {"a": [CURED], "b": [own], "c": [CURED], "d": [CURED]}
    assert {key: one.mentions for key, one in said.items()} == {CURED: 3, own: 1}
    assert heard["d"].claims[0].verdict == "contradicted"


async def test_a_post_that_is_edited_or_deleted_meanwhile_wins(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", FLOUR_TEXT), by.judged("b", FLOUR_TEXT, author="y"))
    async with running(database, bread(pack, *LATER)) as run:
        await run.look(EVERYTHING, nobody)
        await by.write(database, by.judged("a", f"{FLOUR_TEXT}!", hours_ago=0.5))
        applied = await run.apply(asyncio.Event(), nobody)
    assert (applied.mentions, applied.passed_over) == (1, 1)
    heard, said, _ = await everything(database)
    assert (found_in(heard["a"]), found_in(heard["b"]), heard["a"].text) == ([FLOUR], [], f"{FLOUR_TEXT}!")
    assert (said[FLOUR].mentions, said[FLOUR].authors) == (1, 1)


async def test_it_goes_beside_a_daemon_that_records_and_edits(
    database: Database, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejudge, "PAGE", 5)
    by, later = Judging(bread(pack)), bread(pack, *LATER, verdict_of("cures-coeliac-disease", "global: supported"))
    texts = [FLOUR_TEXT, CURES_TEXT, RYE_TEXT, f"{FLOUR_TEXT} and {CURES_TEXT}"]
    old = [by.judged(f"p{n}", texts[n % 4], author=f"a{n % 9}", hours_ago=5) for n in range(60)]
    await by.write(database, *old)
    edits = [by.judged(f"p{n}", f"{texts[(n + 1) % 4]}, friends", author=f"a{n % 9}") for n in range(0, 60, 7)]
    fresh = Judging(later)
    news = [fresh.judged(f"n{n}", texts[n % 4], author=f"b{n % 3}", hours_ago=0.5) for n in range(20)]
    other = Database(str(database.url.render_as_string(hide_password=False)))

    async def record_some() -> None:
        for n in range(0, len(edits) + len(news), 3):
            await by.write(other, *[*edits, *news][n : n + 3])

    try:
        async with running(database, later) as run:
            await run.look(EVERYTHING, nobody)
            applied, _ = await asyncio.gather(run.apply(asyncio.Event(), nobody), record_some())
    finally:
        await other.close()
    assert applied.mentions + applied.passed_over == 60
    await rejudged(database, later)
    heard, said, _ = await everything(database)
    assert len(heard) == 80
    by_claim: dict[str, list[Mention]] = {}
    for one in heard.values():
        expected = fresh.judged(one.platform_id, one.text or "").judgement
        assert [(place.claim_id, place.verdict) for place in one.claims] == [(c.claim_id, c.verdict) for c in expected.claims]
        assert one.alert == expected.alert
        for claim_id in set(found_in(one)):
            by_claim.setdefault(claim_id, []).append(one)
    for claim_id, one in said.items():
        carrying = by_claim.get(claim_id, [])
        assert (one.mentions, one.authors) == (len(carrying), len({mention.author for mention in carrying}))


async def test_interrupted_it_has_done_what_it_has_done_and_goes_on(
    database: Database, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejudge, "PAGE", 4)
    by = Judging(bread(pack))
    await by.write(database, *(by.judged(f"p{n}", FLOUR_TEXT, author=f"a{n}") for n in range(10)))
    later, stop = bread(pack, *LATER), asyncio.Event()
    async with running(database, later) as run:
        await run.look(EVERYTHING, nobody)
        applied = await run.apply(stop, lambda _: stop.set())
    assert (applied.mentions, applied.interrupted) == (4, True)
    _, said, _ = await everything(database)
    assert (said[FLOUR].mentions, said[FLOUR].authors) == (6, 6), "what is said of claims holds at every moment"
    outlook, applied = await rejudged(database, later)
    assert (outlook.judged, outlook.up_to_date, applied.mentions) == (6, 4, 6)
    _, said, _ = await everything(database)
    assert (said[FLOUR].mentions, said[FLOUR].authors) == (0, 0)


async def test_only_the_time_that_is_asked_for_and_only_what_has_a_text(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("old", FLOUR_TEXT, hours_ago=48), by.judged("new", FLOUR_TEXT, author="y"))
    async with running(database, bread(pack, *LATER)) as run:
        outlook = await run.look(number_range(parse_filters({"since": ["24h"]})), nobody)
        await run.apply(asyncio.Event(), nobody)
    assert outlook.judged == 1
    heard, _, _ = await everything(database)
    assert (found_in(heard["old"]), found_in(heard["new"])) == ([FLOUR], [])


async def test_names_that_came_to_the_watchlist_later_are_found_in_what_was_heard_before(database: Database, pack: Path) -> None:
    by = Judging(bread(pack))
    await by.write(database, by.judged("a", f"{FLOUR_TEXT}, says Mill & Co"), by.judged("b", FLOUR_TEXT), by.judged("c", "Mill"))
    (pack / "watchlist.yaml").write_text("- {name: Mill & Co, kind: brand}\n- {name: Mill, kind: brand}\n")
    outlook, applied = await rejudged(database, load_topic(pack))
    assert (outlook.judged, outlook.other_names, outlook.to_do, applied.renamed) == (0, 2, True, 2)

    async def named(name: str, **more: str) -> list[str]:
        filters = parse_filters({"watch": [name]} | {key: [value] for key, value in more.items()})
        async with database.read() as connection:
            return [one.platform_id for one in (await mentions.page(connection, filters)).items]

    assert (await named("Mill & Co"), await named("Mill"), await named("Mill", text="flour")) == (["a"], ["c", "a"], ["a"])
    (pack / "watchlist.yaml").write_text("- {name: Mill & Co, kind: brand}\n")
    outlook, _ = await rejudged(database, load_topic(pack))
    assert (outlook.other_names, await named("Mill"), await named("Mill & Co", text="flour")) == (2, [], ["a"])
    assert not (await rejudged(database, load_topic(pack)))[0].to_do


class Installation:
    """A config with the pack about bread and a database with some posts that its first state judged."""

    def __init__(self, folder: Path) -> None:
        self.pack = folder / "topics/bread"
        self.config = folder / "monitor.toml"
        self.config.write_text(
            f'topic = "bread"\ndata_dir = "data"\n[store]\nurl = "sqlite:///{folder}/store.sqlite"\n'
            f'[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "https://example.org/hook"\nsecret = "{SECRET}"\n'
        )
        self.url = f"sqlite+aiosqlite:///{folder}/store.sqlite"
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        by = Judging(bread(self.pack))
        database = Database(self.url)
        await database.migrate()
        await by.write(database, by.judged("a", CURES_TEXT), by.judged("b", FLOUR_TEXT), by.judged("c", RYE_TEXT))
        await database.close()

    def now(self) -> tuple[dict[str, Mention], dict[str, Claim], list[str]]:
        async def read() -> Any:
            database = Database(self.url)
            try:
                return await everything(database)
            finally:
                await database.close()

        return asyncio.run(read())  # type: ignore[no-any-return]

    def run(self, *words: str) -> int:
        with pytest.raises(SystemExit) as caught:
            main(["rejudge", "--config", str(self.config), *words])
        assert isinstance(caught.value.code, int)
        return caught.value.code


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def test_in_a_pipe_it_only_says_and_with_yes_it_does(installation: Installation, capfd: pytest.CaptureFixture[str]) -> None:
    before = installation.now()
    bread(installation.pack, *LATER)
    assert installation.run() == 0
    out, err = capfd.readouterr()
    assert "3 mentions were judged by other versions" in out
    assert "2 would carry other claims: 1 gained, 1 lost" in out
    assert "Sourdough bread is made of rye." in out
    assert err == "Nothing was changed; --yes changes it.\n", "no progress bar in a pipe"
    assert installation.now() == before
    assert installation.run("--yes", "--format", "json") == 0
    said, done = (json.loads(line) for line in capfd.readouterr().out.splitlines())
    assert (said["other_claims"], said["gained"], said["lost"], done["mentions"]) == (2, 1, 1, 3)
    assert found_in(installation.now()[0]["c"]) == [RYE]
    assert installation.run() == 0
    out, err = capfd.readouterr()
    assert ("3 are up to date" in out, err) == (True, "")


def test_a_changed_verdict_is_told_to_the_endpoints(installation: Installation, capfd: pytest.CaptureFixture[str]) -> None:
    bread(installation.pack, verdict_of("cures-coeliac-disease", "global: supported"))
    assert installation.run("--yes") == 0
    assert "contradicted -> supported" in capfd.readouterr().out
    heard, said, told = installation.now()
    assert (said[CURED].verdict, heard["a"].alert, told) == ("supported", False, ["claim.new", "claim.verdict_changed"])


@pytest.mark.parametrize(("answer", "status", "changed"), [(b"n\n", 0, False), (b"y\n", 0, True), (b"\x03", 130, False)])
def test_on_a_terminal_it_asks_first(installation: Installation, answer: bytes, status: int, changed: bool) -> None:
    bread(installation.pack, *LATER)
    pid, terminal = pty.fork()
    if not pid:  # pragma: no cover - the child
        os.chdir(ROOT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # who runs tests in the background has it ignored, which would be passed on
        os.execv(sys.executable, [sys.executable, "-m", "monitor", "rejudge", "--config", str(installation.config)])
    seen = b""
    while True:
        if not select.select([terminal], [], [], 5.0)[0]:
            # Python can miss a Ctrl-C in the moment in which it begins to read a line: whoever types it would do so again. It may
            # not even be shown as ^C, for keys are not shown in that moment.
            os.write(terminal, answer if b"[y/N]:" in seen else b"")
            continue
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the terminal is closed: it has ended
            break
        asked = b"[y/N]:" in seen  # where the question ends
        seen += part
        if b"[y/N]:" in seen and not asked:
            os.write(terminal, answer)
    _, ended = os.waitpid(pid, 0)
    os.close(terminal)
    assert b"Change this?" in seen
    assert os.waitstatus_to_exitcode(ended) == status
    assert (found_in(installation.now()[0]["c"]) == [RYE]) is changed


def test_without_a_database_it_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bread(tmp_path / "topics/bread")
    config = tmp_path / "monitor.toml"
    config.write_text('topic = "bread"\ndata_dir = "data"\n')
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as caught:
        main(["rejudge", "--config", str(config)])
    assert caught.value.code == 1
    assert "there is no database" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before
