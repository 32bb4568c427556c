"""Folders and files that cannot be written, are full, or hold something else: one sentence, or a wait; nothing is lost.

A data folder of another daemon, a broken append-only file and a folder that cannot be made stand in test_embedded_redis.py.
"""

from __future__ import annotations

import os
import resource
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.abuse import claim_of, one_sentence, post_of, replay_file, run_here, still_works, write_config
from tests.daemon_process import ROOT, DaemonProcess, running_daemon, until
from tests.receiver import Receiver

POSTS = [post_of(str(n), claim_of(301 + n)) for n in range(20)]


Capture = pytest.CaptureFixture[str]


def refused(config: Path, capfd: Capture, *said: str) -> None:
    status, out, err = run_here(["run", "--config", str(config)], capfd)
    assert (status, out) == (1, "")
    one_sentence(err, *said)


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path, capfd: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = write_config(tmp_path)
        config.write_text(config.read_text().replace("port = 0", f"port = {port}"))
        refused(config, capfd, f"127.0.0.1:{port}", "api.port")
    assert not (tmp_path / "data/redis/server.json").exists(), "no redis-server is left behind"


def test_a_data_folder_that_may_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o500)
    # Root may write anywhere: it has to be told not to.
    as_others = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*as_others, sys.executable, "-m", "monitor", "run", "--config", config],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    one_sentence(done.stderr, str(data), "data_dir", "Permission denied")


def test_a_data_folder_that_is_a_file_is_one_sentence(tmp_path: Path, capfd: Capture) -> None:
    (tmp_path / "data").write_text("not a folder")
    refused(write_config(tmp_path), capfd, "data_dir", "File exists")


async def test_a_data_folder_at_the_end_of_a_long_path_works(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a-rather-long-name-of-a-folder"] * 8)
    folder.mkdir(parents=True)
    assert len(str(folder)) > 240, "beyond what a socket's path may have"
    async with running_daemon(write_config(folder)) as daemon:
        await still_works(daemon, "long")


def test_a_path_that_is_too_long_for_anything_is_one_sentence(tmp_path: Path, capfd: Capture) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace('"data"', f'"{"x" * 300}"'))
    status, out, err = run_here(["run", "--config", str(config)], capfd)
    assert (status, out) == (1, "")
    assert "File name too long" in err
    assert "data_dir" in err
    assert "Traceback" not in err


def test_a_database_that_is_none_is_one_sentence(tmp_path: Path, capfd: Capture) -> None:
    config = write_config(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    (data / "exowatch.sqlite").write_bytes(b"\x89PNG\r\n\x1a\n" * 1_000)
    refused(config, capfd, "exowatch.sqlite", "not a database")
    (data / "exowatch.sqlite").unlink()
    (data / "exowatch.sqlite").mkdir()
    refused(config, capfd, "exowatch.sqlite")


def test_a_database_of_a_newer_program_is_one_sentence_and_untouched(tmp_path: Path, capfd: Capture) -> None:
    config = write_config(tmp_path)
    (tmp_path / "data").mkdir()
    with sqlite3.connect(tmp_path / "data/exowatch.sqlite") as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    database.close()
    refused(config, capfd, "9999", "newer")


def test_a_key_of_pseudonyms_that_was_cut_off_is_refused(tmp_path: Path, capfd: Capture) -> None:
    # As a disk that was full would leave it: with an empty key everybody could work out who an author is.
    (tmp_path / "data").mkdir()
    (tmp_path / "data/author.key").write_bytes(b"")
    refused(write_config(tmp_path), capfd, "author.key", "privacy.key")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 12 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        os.getuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    )
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


async def test_a_disk_that_is_full_is_named_and_all_goes_on_when_there_is_room(small_disk: Path) -> None:
    if not small_disk.is_mount():
        await until_files_may_grow(small_disk)
        return
    async with Receiver() as receiver, running_daemon(write_config(small_disk, hook=receiver.url)) as daemon:
        await still_works(daemon, "before", 290)
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):  # noqa: PT012
            while True:
                file.write(b"x" * 4_096)
        status, _, err = await daemon.command("replay", replay_file(small_disk.parent, *POSTS))
        assert daemon.running
        if status:
            one_sentence(err)
        filler.unlink()

        async def again() -> int:
            return (await daemon.command("replay", replay_file(small_disk.parent, *POSTS)))[0]

        await until(again, lambda status: status == 0)
        await daemon.until("/mentions", lambda page: len(page["items"]) == len(POSTS) + 1)
        await daemon.until("/endpoints", lambda page: page["items"][0]["pending"] == 0)
        assert len({got.event["data"]["claim"]["id"] for got in receiver.kept}) == len(POSTS) + 1


async def until_files_may_grow(folder: Path) -> None:
    """The same where nothing may be mounted: no file of the daemon may grow beyond 512 kB."""
    config = write_config(folder)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512 * 1024, before[1]))
    daemon = DaemonProcess(config)
    try:
        await daemon.start()
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        many = [post_of(str(n), claim_of(301) + " word" * 500) for n in range(600)]
        await daemon.command("replay", replay_file(folder, *many))
        assert daemon.running
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        if daemon.running:
            await daemon.kill()
    async with running_daemon(config) as daemon:
        assert (await daemon.command("replay", replay_file(folder, *many)))[0] == 0
        await daemon.until("/stats", lambda stats: sum(day["mentions"] for day in stats["buckets"]) == len(many))
