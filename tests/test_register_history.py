"""The states of the register that judged: listed, compared, and put back, so that a slip of an editor can be undone."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import main
from monitor.settings import load
from monitor.store import Database
from monitor.topic import load_topic
from monitor.topic.difference import difference
from tests.abuse import one_sentence
from tests.daemon_process import ROOT, running_daemon
from tests.packs import CURES_TEXT, FLOUR_TEXT, REGISTER, bread, verdict_of
from tests.receiver import SECRET, Receiver
from tests.test_pack_follow import ENTRY, change
from workers.retell import keep_register

HEALTHIER = verdict_of("cures-coeliac-disease", "global: supported, UK: unsupported")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return tmp_path / "topics/bread"


@pytest.fixture
def config(tmp_path: Path, pack: Path) -> Path:
    """A config with the pack about bread in its first state."""
    bread(pack)
    file = tmp_path / "monitor.toml"
    file.write_text('topic = "bread"\ndata_dir = "data"\n[api]\nport = 0\n')
    return file


@pytest.fixture
def run(config: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def evidence(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main(["evidence", *words, "--config", str(config)])
        out, err = capfd.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, out, err

    return evidence


async def judged_by(config: Path, pack: Path, *edits: tuple[str, str, str]) -> str:
    """Puts the pack into this state and keeps its register, as the daemon does when it takes it up; its version."""
    topic = bread(pack, *edits)
    database = Database(load(config).sqlalchemy_url)
    await database.migrate()
    await keep_register(database, topic)
    await database.close()
    return topic.register.version


@pytest.fixture
def versions(config: Path, pack: Path) -> list[str]:
    """Three states, the last of which is in force: as shipped, a verdict changed, and an entry more."""
    return [asyncio.run(judged_by(config, pack, *edits)) for edits in ((), (HEALTHIER,), (HEALTHIER, (REGISTER, "", ENTRY)))]


def test_what_differs_is_named_by_entry_and_field(tmp_path: Path) -> None:
    first = bread(tmp_path / "a").register
    renamed = (REGISTER, "id: made-of-flour", "id: made-of-wheat")
    unnamed = ("lexicon/claims/composition.yaml", "    entry: made-of-flour\n", "")
    cited = (REGISTER, "A review of fermented wheat", "Another review")
    second = bread(tmp_path / "b", HEALTHIER, renamed, unnamed, cited).register
    found = difference(first, second)
    assert (found.added, found.removed) == (("made-of-wheat",), ("made-of-flour",))
    (entry,) = found.changed
    fields = {one.field: (one.before, one.now) for one in entry.fields}
    assert fields["verdict global"] == ("contradicted", "supported")
    assert fields["verdict UK"] == (None, "unsupported")
    before, now = fields["citation BREAD-REVIEW"]
    assert (before or "").startswith("A review of fermented wheat")
    assert (now or "").startswith("Another review")
    assert set(fields) == {"verdict global", "verdict UK", "citation BREAD-REVIEW"}
    assert not difference(first, first)


def test_history_lists_versions_with_what_each_changed(versions: list[str], run: Run) -> None:
    status, out, err = run("history", "--format", "json")
    assert (status, err) == (0, "")
    lines: list[dict[str, Any]] = json.loads(out)["items"]
    assert [one["version"] for one in lines] == versions[::-1]
    changes = [(one["entries"], one["added"], one["removed"], one["changed"]) for one in lines]
    assert [one["held"] for one in lines] == [None, None, None], "nobody has held claims against them"
    assert changes == [(3, ["made-of-rye"], [], []), (2, [], [], ["cures-coeliac-disease"]), (2, [], [], [])]
    _, out, _ = run("history", "--limit", "1")
    assert len(out.splitlines()) == 2
    assert "1: made-of-rye" in out


def test_diff_compares_two_versions_or_one_with_the_files(versions: list[str], run: Run, pack: Path) -> None:
    status, out, _ = run("diff", versions[0][:8], versions[2][:8])
    assert status == 0
    said = ["added made-of-rye", "changed cures-coeliac-disease", "  verdict global: contradicted -> supported"]
    assert out.splitlines()[:3] == said
    assert run("diff", versions[2])[1] == "The same entries.\n"
    change(pack / REGISTER, ENTRY, "")
    assert run("diff", versions[2])[1] == "removed made-of-rye\n"
    _, out, _ = run("diff", versions[1], versions[0], "--format", "json")
    assert json.loads(out)["changed"][0]["fields"][0] == {"field": "verdict global", "before": "supported", "now": "contradicted"}


def test_diff_goes_by_the_version_that_judges_where_the_files_are_broken(versions: list[str], run: Run, pack: Path) -> None:
    change(pack / REGISTER, "entries:", "entries: [")
    status, out, err = run("diff", versions[1])
    assert (status, out) == (0, "added made-of-rye\n")
    one_sentence(err, versions[2], REGISTER)


def test_rollback_puts_the_files_back_and_says_what_changed(versions: list[str], run: Run, pack: Path) -> None:
    extra = pack / "register/more.yaml"
    extra.write_text("entries: []\n")
    held = (pack / REGISTER).read_text()
    (pack / REGISTER).chmod(0o640)
    status, out, err = run("rollback", versions[0])
    assert (status, err) == (0, "")
    assert f"wrote {pack / REGISTER}" in out
    assert f"took away {extra}" in out
    assert "removed made-of-rye" in out
    assert "verdict global: supported -> contradicted" in out
    assert load_topic(pack).register.version == versions[0]
    assert (pack / REGISTER).stat().st_mode & 0o777 == 0o640
    assert (pack / f"{REGISTER}~").read_text() == held, "what was there lies beside it"
    assert sorted(file.name for file in (pack / "register").iterdir()) == ["all.yaml", "all.yaml~", "more.yaml~"]
    assert "already" in run("rollback", versions[0])[1]


def test_rollback_mends_a_register_that_cannot_be_read(versions: list[str], run: Run, pack: Path) -> None:
    change(pack / REGISTER, "entries:", "entries: [")
    status, out, err = run("rollback", versions[2])
    assert (status, err) == (0, "")
    assert "wrote" in out
    assert load_topic(pack).register.version == versions[2]


def test_rollback_to_what_the_lexicon_cannot_do_without_is_refused(versions: list[str], run: Run, pack: Path) -> None:
    change(pack / "lexicon/claims/composition.yaml", "entry: made-of-flour", "entry: made-of-rye")
    before = (pack / REGISTER).read_bytes()
    status, out, err = run("rollback", versions[0])
    assert (status, out) == (1, "")
    one_sentence(err, versions[0], "made-of-rye")
    assert (pack / REGISTER).read_bytes() == before


@pytest.mark.parametrize("name", ["nothing", "", "f" * 100])
def test_a_version_that_is_not_kept_is_named(versions: list[str], run: Run, name: str) -> None:
    for command in ("diff", "rollback"):
        status, out, err = run(command, name)
        assert (status, out) == (1, "")
        one_sentence(err, "evidence history")


def test_a_pack_that_cannot_be_written_is_one_error_and_stays(versions: list[str], config: Path, pack: Path) -> None:
    folder = pack / "register"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    folder.chmod(0o555)
    as_others = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner"] if os.getuid() == 0 else []
    try:
        done = subprocess.run(
            [*as_others, sys.executable, "-m", "monitor", "evidence", "rollback", versions[0], "--config", str(config)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        folder.chmod(0o755)
    assert (done.returncode, done.stdout) == (1, "")
    one_sentence(done.stderr, str(folder), "cannot be written", "make it writable")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


async def test_a_running_daemon_tells_of_an_edit_and_of_its_rollback(config: Path, pack: Path) -> None:
    async with Receiver() as receiver:
        with config.open("a") as file:
            file.write(f'[[endpoint]]\nname = "hook"\nkind = "webhook"\nurl = "{receiver.url}"\nsecret = "{SECRET}"\n')
            file.write("allow_private = true\n")
        async with running_daemon(config) as daemon:
            posts = [{"platform": "forum", "id": key, "text": text} for key, text in (("a", CURES_TEXT), ("b", FLOUR_TEXT))]
            await daemon.post("/mentions", posts)
            (new,) = await receiver.got(1)
            assert new.event["type"] == "claim.new"

            first = load_topic(pack).register.version
            change(pack / REGISTER, "{global: supported}", "{global: contradicted}")
            _, edited = await receiver.got(2)
            data = edited.event["data"]
            assert edited.event["type"] == "claim.verdict_changed"
            assert data["before"] == {"verdict": "supported", "verdicts": {"global": "supported"}}
            assert (data["claim"]["verdict"], data["claim"]["claim"]) == ("contradicted", "Sourdough bread is made of flour.")
            await daemon.until("/mentions", lambda page: all(one["alert"] for one in page["items"]))

            status, out, err = await daemon.command("evidence", "rollback", first)
            assert (status, err) == (0, "")
            assert "verdict global: contradicted -> supported" in out
            _, _, undone = await receiver.got(3)
            assert undone.event["data"]["before"]["verdict"] == "contradicted"
            assert undone.event["data"]["claim"]["verdict"] == "supported"
            _, out, _ = await daemon.command("evidence", "history", "--format", "json")
            lines = json.loads(out)["items"]
            assert [one["version"] == first for one in lines] == [True, False, True], "each time that it came into force"
            assert [one["changed"] for one in lines] == [["made-of-flour"], ["made-of-flour"], []]
            await daemon.post("/mentions", [{"platform": "forum", "id": "c", "text": f"{FLOUR_TEXT}, I say"}])
            await daemon.until("/mentions", lambda page: len(page["items"]) == 3)
        assert len(receiver.kept) == 3, "once each, and nothing else"
