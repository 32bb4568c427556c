"""Everything that exowatch keeps on a disk is for its owner alone, whatever the umask and whoever made the folder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.abuse import claim_of, post_of, quick_config, replay_file
from tests.daemon_process import PATIENCE_S, ROOT
from tests.private import open_to_others

POSTS = [post_of(str(n), claim_of(301 + n), author=f"a{n}") for n in range(5)]
NAMED = f'[[token]]\nname = "reader"\nscopes = ["read"]\nhash = "sha256:{"0" * 64}"\n'
MADE_BY_A_RUN = {"author.key", "login.key", "exowatch.sqlite", "exowatch.sqlite-wal", "exowatch.sqlite-shm", "redis.log"}


def started(config: Path, *words: str) -> subprocess.Popen[str]:
    """`exowatch words…` under a umask that takes nothing away."""
    command = [sys.executable, "-m", "monitor", "--config", str(config), *words]
    environment = {**os.environ, "EXOWATCH_API__TOKEN": "t0ken"}
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, umask=0, env=environment
    )


def test_what_commands_and_the_daemon_leave_is_for_its_owner_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)  # an operator's own folder is left as it is: what is in it must be closed by itself
    config = quick_config(tmp_path, NAMED)

    replay = started(config, "replay", replay_file(tmp_path, *POSTS))
    out, err = replay.communicate(timeout=PATIENCE_S)
    assert (replay.returncode, out) == (0, "accepted 5, duplicates 0, unmatched 0\n"), err
    assert (data / "exowatch.sqlite").exists()
    assert open_to_others(data) == []

    daemon = started(config, "run", "--workers", "2")
    try:
        assert daemon.stdout
        found = re.search(r"http://\S+", daemon.stdout.readline())
        assert found
        until_all_are_stored(found[0])
        names = {path.name for path in data.rglob("*")}
        assert names >= MADE_BY_A_RUN
        assert open_to_others(data) == []
        socket = Path(json.loads((data / "redis" / "server.json").read_text())["socket"])
        assert socket.parent.stat().st_mode & 0o077 == 0
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=PATIENCE_S)
    assert daemon.returncode == 0
    assert open_to_others(data) == []
    assert data.stat().st_mode & 0o777 == 0o755


def test_a_data_folder_that_it_makes_itself_is_closed(tmp_path: Path) -> None:
    replay = started(quick_config(tmp_path), "replay", replay_file(tmp_path, *POSTS))
    replay.communicate(timeout=PATIENCE_S)
    assert replay.returncode == 0
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def until_all_are_stored(address: str) -> None:
    request = urllib.request.Request(f"{address}/api/v1/mentions", headers={"Authorization": "Bearer t0ken"})
    deadline = time.monotonic() + PATIENCE_S
    page: dict[str, Any] = {"items": []}
    while len(page["items"]) < len(POSTS):
        assert time.monotonic() < deadline, page
        with urllib.request.urlopen(request, timeout=30) as answer:
            page = json.load(answer)
        time.sleep(0.05)
