"""What README, docs and the commands' own help tell a user to type is taken as it stands, and what needs no terminal runs."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
import tomllib
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from monitor.cli import main
from monitor.settings import load
from tests.abuse import post_of
from tests.commands import ROOT, Typed, calls_of_docs, commands, examples, parse
from tests.daemon_process import DaemonProcess, running_daemon
from tests.quick_pack import rules_alone
from tests.receiver import SECRET, Receiver
from tests.standins.feed_server import FeedServer

README = (ROOT / "README.md").read_text(encoding="utf-8")
STAY = {"run", "collect", "work", "deliver", "serve", "watch", "mcp", "demo"}  # until they are stopped, or a daemon of their own
# What an example asks for that a running daemon with this record refuses.
REFUSED = {"dead replay": "name nothing that is dead", "restore": "stop it", "migrate": "stop it"}
_FILE = re.compile(r"(?!/)[\w./-]+\.(?:jsonl|csv|parquet|tar\.gz)")
_VERSION = re.compile(r"[0-9a-f]{12}")
_CLAIM = re.compile(r"c_[0-9a-z]{13}")


def every_call() -> list[Typed]:
    return list(dict.fromkeys([*examples(), *calls_of_docs()]))


@pytest.mark.parametrize("typed", every_call(), ids=lambda typed: f"{typed.where}: {typed.line}")
def test_a_command_takes_the_words_of_its_docs(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for word in filter(_FILE.fullmatch, typed.words):
        Path(word).parent.mkdir(parents=True, exist_ok=True)
        Path(word).touch()
    assert parse(typed)


def test_every_command_has_an_example_of_itself_and_stands_in_the_list_of_commands() -> None:
    listed = {name for typed in calls_of_docs() if typed.where == "docs/cli.md" for name in [typed.words[0]]}
    named = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    own = {typed.where: typed.words for typed in reversed(list(examples()))}
    for name, command in commands():
        first, *below = name.split()
        words = own[f"exowatch {name} --help"]
        assert words[: len(below) + 1] == (first, *below), f"{name}: its example is {words}"
        assert first in listed or f"`{first}`" in named, f"docs/cli.md does not name {first}"
        assert not below or re.search(rf"\b{re.escape(below[0])}\b", named), f"docs/cli.md does not name {name}"
        assert command.help, name


def test_the_readme_speaks_of_targets_and_settings_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = set(re.findall(r"\bmake (\w+)\b(?: +#|`)", README))
    assert {"run", "test", "demo"} <= made <= targets
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    blocks = re.findall(r"^```toml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    config = tmp_path / "monitor.toml"
    config.write_text("\n".join(blocks))
    settings = load(config)
    given = tomllib.loads(config.read_text())
    assert [one.name for one in settings.source] == [one["name"] for one in given["source"]]
    assert [one.name for one in settings.endpoint] == [one["name"] for one in given["endpoint"]]
    for row in re.findall(r"^\| `(\w+/)` \|", README, re.MULTILINE):
        assert (ROOT / row).is_dir(), row


async def test_the_commands_of_the_readme_and_the_examples_of_help_run(tmp_path: Path) -> None:
    readme = [typed for typed in calls_of_docs() if typed.where == "README.md"]
    assert len(readme) >= 10
    async with Receiver() as receiver, FeedServer() as feed:
        config = written(tmp_path, receiver.url, feed.url)
        async with running_daemon(config) as daemon:
            claim, version = await filled(daemon)
            for typed in {(one.words, one.piped): one for one in (*readme, *examples())}.values():
                name = parse_loosely(typed, tmp_path)
                if name in STAY:
                    continue
                if name == "backup":
                    Path(in_this_record(typed.words[-1], tmp_path, "", "")).unlink()  # it overwrites nothing
                words = [in_this_record(word, tmp_path, claim, version) for word in typed.words]
                if name == "forget" and "--yes" not in words:
                    words.append("--yes")  # without a terminal nobody can be asked
                given = (typed.piped or "Exosomes are FDA approved") + "\n" if name == "classify" else ""
                status, out, err = await asyncio.to_thread(called, "--config", str(config), *words, given=given)
                if name in REFUSED:
                    assert (status, REFUSED[name] in err) == (1, True), (typed, err)
                else:
                    assert status == 0, (typed, out, err)
                    assert "unexpected" not in err, (typed, err)


def written(folder: Path, hook: str, feed: str) -> Path:
    """A config file with the source and the endpoint that the docs name, and the files that they name beside it."""
    rules_alone(folder)
    (folder / "hook.secret").write_text(SECRET + "\n")
    config = folder / "monitor.toml"
    config.write_text(
        f'data_dir = "data"\n[api]\nport = 0\n[[source]]\nname = "skincare-reddit"\nkind = "feed"\nurl = "{feed}"\n'
        f'[[endpoint]]\nname = "case-system"\nkind = "webhook"\nurl = "{hook}"\nsecret = "file:hook.secret"\n'
        "allow_private = true\n"
    )
    files = folder / "files"
    files.mkdir()
    (files / "posts.jsonl").write_text(json.dumps(post_of("r", "Exosomes cured my arthritis")) + "\n")
    (files / "export.csv").write_text("id,text\n1,Exosomes are FDA approved\n")
    label = {
        "quote": "FDA approved",
        "type": "regulatory_status",
        "stance": "asserts",
        "verdict": "contradicted",
        "claim_key": "fda",
    }
    labelled = {"id": "1", "text": "Exosomes are FDA approved", "relevant": True, "adverse_event": False, "alert": True}
    (files / "labelled.jsonl").write_text(json.dumps(labelled | {"claims": [label]}) + "\n")
    return config


async def filled(daemon: DaemonProcess) -> tuple[str, str]:
    """Puts the posts that the docs name into the record. Returns a claim's id and the register's version."""
    posts = [
        post_of("t3_abc123", "Our exosomes are FDA approved", author="some-user") | {"platform": "reddit"},
        post_of("1", "Exosomes raise collagen by 300%", url="https://example.org/post/1"),
        post_of("7", "Exosomes have no side effects", url="https://example.org/post/7"),
    ]
    assert (await daemon.post("/mentions", posts))["accepted"] == 3
    page = await daemon.until("/mentions", lambda page: len(page["items"]) == 3)
    await daemon.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)
    claims = (await daemon.get("/claims"))["items"]
    return claims[0]["id"], page["items"][0]["register"]


def called(*words: str, given: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command, in this process: fifty of their own would take a minute."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(given.encode()))
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main(words)
    finally:
        sys.stdin = before
    said, complained = (stream.buffer.getvalue().decode() for stream in (out, err))
    return int(ended.value.code or 0), said, complained


def parse_loosely(typed: Typed, folder: Path) -> str:
    """The full name of the command, with files where this test keeps them."""
    for word in filter(_FILE.fullmatch, typed.words):
        (folder / "files" / word).touch()
    return parse(typed._replace(words=tuple(in_this_record(word, folder, word, word) for word in typed.words)))


def in_this_record(word: str, folder: Path, claim: str, version: str) -> str:
    """A word of an example, with the ids, versions and files of this record instead of those that the docs invent."""
    if _FILE.fullmatch(word) or word == "docs/events":
        return str(folder / "files" / word)
    return claim if _CLAIM.fullmatch(word) else version if _VERSION.fullmatch(word) else word


def test_no_call_is_left_out_by_how_it_is_read() -> None:
    named = {" ".join(name) for name in _first_words(calls_of_docs())}
    assert {"claims", "evidence check", "endpoints rotate", "forget https://example.org/post/1"} <= named


def _first_words(calls: Iterable[Typed]) -> Iterable[tuple[str, ...]]:
    return (
        typed.words[:2] if len(typed.words) > 1 and not typed.words[1].startswith("-") else typed.words[:1] for typed in calls
    )
