"""Files that are put into a folder or imported: CSV and JSONL, whatever stands in them."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from monitor.collectors import open_collector
from monitor.collectors.base import Collector
from monitor.post_files import read_posts
from monitor.settings import load
from monitor.settings.sources import FolderSource
from tests.standins.polling import fails, heard, poll


def read(text: str | bytes, name: str = "posts.jsonl", platform: str | None = None) -> list[tuple[int, str]]:
    """The rows: line and the post's text, or the error."""
    data = text.encode() if isinstance(text, str) else text
    rows = list(read_posts(io.BytesIO(data), name, platform))
    assert all(row.end <= len(data) for row in rows)
    return [(row.number, row.post.text if row.post else f"! {row.error}") for row in rows]


def test_csv_is_read_by_its_names() -> None:
    text = 'Text,id,platform,ignored\n"two\nlines, one post",1,Forum,x\n\nshort,2,forum,y\n,3,forum,z\nmore,4\n'
    assert read(text, "a.CSV") == [
        (3, "two\nlines, one post"),
        (5, "short"),
        (6, '! "text" is missing or empty'),
        (7, '! "platform" is missing or empty'),
    ]
    assert read("id;text\n7;a, b\n", "a.csv", "forum") == [(2, "a, b")]
    assert read("\ufeffid\ttext\n7\ta\n", "a.csv", "forum") == [(2, "a")]
    assert read("", "a.csv") == []
    assert read("id,text\n", "a.csv") == []


def test_a_spreadsheets_file_is_read() -> None:
    out = io.StringIO()
    writer = csv.writer(out)  # with \r\n, as they write it
    writer.writerows([["platform", "id", "text", "author"], ["forum", 1, 'she said "it\r\ncures"', ""]])
    (row,) = read_posts(io.BytesIO(out.getvalue().encode()), "a.csv")
    assert row.post is not None
    assert (row.post.text, row.post.author) == ('she said "it\r\ncures"'.replace("\r\n", "\r\n"), None)


def test_bad_lines_are_named_and_the_others_go_on() -> None:
    good = json.dumps({"platform": "forum", "id": 1, "text": "x"})
    assert [number for number, text in read(f"{good}\n{{\n\n{good}\n[]\n") if text.startswith("!")] == [2, 5]
    assert read(b"id,text\n1,ok\n2,\xff\n3,ok\n", "a.csv", "forum") == [(2, "ok"), (3, "! not UTF-8; nothing after it is read")]
    assert read('id,text\n1,"never closed\n2,b\n', "a.csv", "forum") == [(3, "never closed\n2,b")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def collector(folder: Path) -> Collector:
    made: Any = open_collector(FolderSource(name="in", kind="folder", path=str(folder), platform="forum"))
    return made


def put(folder: Path, name: str, text: str, *, age_s: float = 60) -> None:
    (folder / name).write_text(text)
    then = time.time() - age_s
    os.utime(folder / name, (then, then))


def line(key: int) -> str:
    return json.dumps({"id": key, "text": f"post {key}"}) + "\n"


async def ids(collector: Collector, cursor: str | None = None) -> tuple[list[str], str | None]:
    posts, after = await heard(collector, cursor)
    return [post.id for post in posts], after


async def test_files_are_read_once_and_grow(folder: Path, collector: Collector) -> None:
    put(folder, "b.jsonl", line(3))
    put(folder, "a.csv", "id,text\n1,x\n2,y\n")
    put(folder, ".hidden.jsonl", line(8))
    put(folder, "notes.txt", line(9))
    found, cursor = await ids(collector)
    assert found == ["1", "2", "3"]
    assert (await ids(collector, cursor))[0] == []
    put(folder, "b.jsonl", line(3) + line(4))
    put(folder, "a.csv", "id,text\n1,x\n2,y\n5,z\n")
    found, cursor = await ids(collector, cursor)
    assert found == ["5", "4"]
    put(folder, "c.jsonl", line(6))
    (folder / "c.jsonl").rename(folder / "b.jsonl")
    assert (await ids(collector, cursor))[0] == ["6"], "another file of that name"


async def test_a_line_without_its_end_is_waited_for(folder: Path, collector: Collector) -> None:
    put(folder, "a.jsonl", line(1) + line(2)[:-5], age_s=0)
    put(folder, "b.csv", "id,text\n3,x\n", age_s=0)
    found, cursor = await ids(collector)
    assert found == ["1"]
    put(folder, "a.jsonl", line(1) + line(2))
    put(folder, "b.csv", "id,text\n3,x\n")
    assert (await ids(collector, cursor))[0] == ["2", "3"]


async def test_a_crash_between_batches_loses_nothing(folder: Path, collector: Collector) -> None:
    put(folder, "a.jsonl", "".join(map(line, range(1200))))
    first, *others = await poll(collector)
    assert [len(batch.posts) for batch in (first, *others)] == [500, 500, 200, 0]
    again, _ = await ids(collector, first.cursor)
    assert again == [str(number) for number in range(500, 1200)]


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    gone: Any = open_collector(FolderSource(name="in", kind="folder", path=str(tmp_path / "none")))
    assert "make it, or set path" in str(await fails(gone))


def test_a_folders_path_starts_beside_the_config_file(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text('[[source]]\nname = "in"\nkind = "folder"\npath = "incoming"\n')
    (source,) = load(tmp_path / "monitor.toml").source
    assert isinstance(source, FolderSource)
    assert source.path == str(tmp_path / "incoming")
