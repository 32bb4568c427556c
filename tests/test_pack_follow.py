"""What an editor saves in a topic pack holds without a restart, and a slip in it stops nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from monitor.topic import TopicError
from monitor.topic.follow import Follower
from tests.abuse import post_of, write_config
from tests.daemon_process import DaemonProcess, running_daemon, until
from tests.test_second_topic import write_pack

REGISTER = "register/all.yaml"
LEXICON = "lexicon/claims/composition.yaml"
ENTRY = """
  - id: made-of-rye
    type: composition
    claim: Sourdough bread is made of rye.
    verdicts: {US: supported}
    as_of: 2026-03-01
    citations:
      - {id: MILLER, citation: A miller's handbook, kind: review, url: "https://example.org/rye", year: 2020}
"""
CLAIM = """
  - key: made-of-rye
    claim: Sourdough bread is made of rye.
    when: ["made of|from rye"]
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack whose claim about rye no entry decides."""
    write_pack(tmp_path)
    folder = tmp_path / "topics/bread"
    change(folder / LEXICON, "", CLAIM)
    return folder


def change(file: Path, old: str, new: str) -> None:
    """Puts `new` in the place of `old`, at the end where that is empty, as an editor does: in one go, by another file's name."""
    text = file.read_text()
    assert old in text
    swap = file.with_name(f".{file.name}.swp")
    swap.write_text(text.replace(old, new, 1) if old else text + new)
    swap.replace(file)


def test_nothing_is_loaded_while_nothing_changes(pack: Path) -> None:
    follower = Follower(pack)
    (pack / "register" / ".all.yaml.swp").write_text("an editor's own file")
    (pack / "register" / "all.yaml~").write_text("another one")
    assert [follower.look() for _ in range(3)] == [None, None, None]


def test_a_change_is_loaded_once_it_lies_still(pack: Path) -> None:
    follower = Follower(pack)
    change(pack / REGISTER, "", ENTRY)
    assert follower.look() is None, "it may be half written"
    change(pack / REGISTER, "A miller's handbook", "Another handbook")
    assert follower.look() is None
    topic = follower.look()
    assert topic is not None
    entry = topic.register.get("made-of-rye")
    assert entry is not None
    assert entry.citations[0].citation == "Another handbook"
    assert follower.look() is None


def test_a_file_that_is_put_back_with_its_old_date_and_size_is_a_change_too(pack: Path) -> None:
    file = pack / REGISTER
    before = file.stat()
    follower = Follower(pack)
    change(file, "global: contradicted", "global: unsupported ")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert follower.look() is None
    assert follower.look() is not None


def test_a_broken_pack_is_said_once_and_what_mends_it_is_loaded(pack: Path) -> None:
    follower = Follower(pack)
    change(pack / REGISTER, "entries:", "entries: [")
    assert follower.look() is None
    with pytest.raises(TopicError, match=r"all\.yaml"):
        follower.look()
    assert follower.look() is None, "one error for one state of the files"
    change(pack / REGISTER, "entries: [", "entries:")
    assert follower.look() is None
    assert follower.look() is not None


class Editing:
    """A daemon and a worker process beside it, both at work on one pack."""

    def __init__(self, daemon: DaemonProcess, worker: DaemonProcess) -> None:
        self.daemon = daemon
        self.worker = worker
        self.sent = 0

    async def logged(self, words: str, times: int = 1) -> None:
        """Waits until both have said it so many times."""

        async def counts() -> list[int]:
            return [process.log().count(words) for process in (self.daemon, self.worker)]

        await until(counts, lambda found: min(found) >= times)

    async def verdicts(self, text: str) -> set[tuple[str, str]]:
        """Verdict and basis of the claims of twenty new posts with this text, which the two processes share."""
        posts = [post_of(str(self.sent + n), text) for n in range(20)]
        self.sent += 20
        answer = await self.daemon.post("/mentions", posts)
        assert answer["accepted"] == 20
        page = await self.daemon.until("/mentions?limit=500", lambda page: len(page["items"]) == self.sent)
        ours = {post["id"] for post in posts}
        claims: list[Any] = [claim for one in page["items"] if one["platform_id"] in ours for claim in one["claims"]]
        assert len(claims) == 20
        return {(claim["verdict"], claim["basis"]) for claim in claims}


async def test_an_entry_that_is_added_decides_without_a_restart(pack: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path)
    config.write_text('topic = "bread"\n' + config.read_text())
    async with running_daemon(config) as daemon, running_daemon(config, "work") as worker:
        both = Editing(daemon, worker)
        assert await both.verdicts("This rye loaf is made from rye.") == {("unsupported", "burden of proof")}

        change(pack / REGISTER, "", ENTRY)
        change(
            pack / LEXICON,
            "claim: Sourdough bread is made of rye.",
            "claim: Sourdough bread is made of rye.\n    entry: made-of-rye",
        )
        change(pack / "keywords.yaml", "", "  - name: boule\n    written: [boule]\n")
        await both.logged("judged by the changed topic pack")
        assert await both.verdicts("This boule is made from rye.") == {("supported", "register")}

        change(pack / REGISTER, "Sourdough bread is made of rye.", "Sourdough bread is made of rye.\n    verdict: [")
        await both.logged("going on with the one before it")
        assert await both.verdicts("This rye bread is made from rye.") == {("supported", "register")}

        change(pack / REGISTER, "\n    verdict: [", "")
        change(pack / REGISTER, "US: supported", "US: contradicted")
        await both.logged("judged by the changed topic pack", times=2)
        assert await both.verdicts("My sourdough is made from rye.") == {("contradicted", "register")}
        for process in (daemon, worker):
            said = [line for line in process.log().splitlines() if "cannot be used" in line]
            assert len(said) == 1, "one error for one slip, however often the files are looked at"
            assert "all.yaml" in said[0]
            assert "Traceback" not in process.log()
