"""`classify` and `evidence`: they need the topic pack and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.settings.load import DEFAULT_FILE
from tests.test_cli_query import ROOT, exowatch


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config file that names a data folder which must never be made."""
    file = tmp_path / "monitor.toml"
    file.write_text('data_dir = "var"\n')
    return file


def test_posts_and_plain_lines_are_judged_in_order_and_a_bad_line_is_named(config: Path, tmp_path: Path) -> None:
    lines = [
        '{"id": "x1", "text": "These exosomes are FDA approved", "extra": 1}',
        "exosomes cure arthritis",
        '{"id": 3}',
        "",
        '{"text": "exosomes"',
        '{"id": 6, "title": "Exosomes", "text": "how much are they?"}',
    ]
    answer = exowatch("classify", "--config", config, stdin="\n".join(lines))
    judgements = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [one["id"] for one in judgements] == ["x1", "2", "6"]
    assert [one["alert"] for one in judgements] == [True, True, False]
    assert judgements[0]["claims"][0]["type"] == "regulatory_status"
    assert answer.returncode == 1
    assert [line.split(":")[1].strip() for line in answer.stderr.splitlines()] == ["line 3", "line 5"]
    assert not (tmp_path / "var").exists()


def test_a_file_is_read_and_bytes_that_are_no_text_do_not_stop_it(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "posts.txt"
    file.write_bytes(b"\xef\xbb\xbfexosomes\r\n\xff\xfe\nexosomes again")
    answer = exowatch("classify", file, "--config", config)
    assert [json.loads(line)["id"] for line in answer.stdout.splitlines()] == ["1", "3"]
    assert (answer.returncode, answer.stderr) == (1, "exowatch: line 2: not UTF-8\n")
    assert exowatch("classify", tmp_path / "none", "--config", config).returncode == 2


def test_a_judgement_is_printed_before_the_next_post_comes(config: Path) -> None:
    command = [sys.executable, "-m", "monitor", "classify", "-", "--config", str(config)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"exosomes\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == "1"
        process.stdin.close()
        assert process.wait(20) == 0


def test_the_register_is_listed_and_an_entry_shown(config: Path) -> None:
    listed = exowatch("evidence", "list", "--type", "regulatory_status", "--format", "jsonl", "--config", config)
    entries = [json.loads(line) for line in listed.stdout.splitlines()]
    assert entries
    assert {entry["type"] for entry in entries} == {"regulatory_status"}
    shown = exowatch("evidence", "show", entries[0]["id"], "--config", config)
    assert entries[0]["claim"] in " ".join(shown.stdout.split())
    assert exowatch("evidence", "show", "none", "--config", config).returncode == 1


def test_a_register_that_is_broken_is_one_sentence_that_names_the_file(tmp_path: Path) -> None:
    pack = tmp_path / "topics" / "exosomes"
    (pack / "register").mkdir(parents=True)
    (pack / "topic.yaml").write_text("name: exosomes\n")
    (pack / "register" / "one.yaml").write_text("entries: [1]\n")
    config = tmp_path / "monitor.toml"
    config.write_text('data_dir = "var"\n')
    answer = exowatch("evidence", "check", "--config", config)
    assert (answer.returncode, answer.stderr.count("\n"), "one.yaml" in answer.stderr) == (1, 1, True)


def test_the_shipped_pack_is_found_from_any_config(config: Path) -> None:
    assert (DEFAULT_FILE.parent / "topics" / "exosomes").is_dir()
    assert exowatch("evidence", "list", "--config", config).returncode == 0
