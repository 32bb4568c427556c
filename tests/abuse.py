"""What the tables of abuse share: a daemon that is put through something, and what its user must then see.

    tests/test_abuse_posts.py     hostile posts, all the way from a file to the webhook, on both databases
    tests/test_abuse_http.py      hostile requests
    tests/test_abuse_sources.py   hostile sites and receivers
    tests/test_abuse_config.py    configuration that cannot be used
    tests/test_abuse_servers.py   Redis and databases that die, stall, lock or refuse
    tests/test_abuse_files.py     folders and files that cannot be written or are not what they should be

Rows that need no daemon stand elsewhere: test_feed_hostile.py (recorded and made feeds), test_collector_http.py (one GET),
test_reddit_failures.py, test_delivery_faults.py (receivers), test_api_guard.py (names, origins, tokens), test_embedded_redis.py.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import main
from tests.daemon_process import DaemonProcess
from tests.quick_pack import rules_alone
from tests.receiver import SECRET

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def write_config(folder: Path, *parts: str, store: str = "", redis: str = "", hook: str = "") -> Path:
    """A config file in `folder` with a data folder beside it; `hook` is an endpoint that hears of every new claim."""
    sections = ['data_dir = "data"', "[api]\nport = 0"]
    sections += [f'[store]\nurl = "{store}"'] if store else []
    sections += [f'[redis]\nurl = "{redis}"'] if redis else []
    sections += list(parts)
    if hook:
        sections.append(endpoint("hook", hook))
    config = folder / "monitor.toml"
    config.write_text("\n".join(sections))
    return config


def quick_config(folder: Path, *parts: str, **more: str) -> Path:
    """As `write_config`, with a pack that has no model: for what holds however posts are read."""
    rules_alone(folder)
    return write_config(folder, *parts, **more)


def endpoint(name: str, url: str) -> str:
    return (
        f'[[endpoint]]\nname = "{name}"\nkind = "webhook"\nurl = "{url}"\nsecret = "{SECRET}"\n'
        'events = ["claim.new"]\nallow_private = true\n'
    )


def feed(name: str, url: str) -> str:
    return f'[[source]]\nname = "{name}"\nkind = "feed"\nurl = "{url}"\ninterval = "2s"\n'


def claim_of(number: int) -> str:
    """A sentence that puts forward a claim of its own for every number."""
    return f"Exosomes raise collagen by {number}%."


def post_of(key: str, text: str, **more: Any) -> dict[str, Any]:
    return {"platform": "forum", "id": key, "text": text, **more}


def replay_file(folder: Path, *posts: dict[str, Any]) -> str:
    file = folder / "posts.jsonl"
    file.write_text("\n".join(json.dumps(post) for post in posts))
    return str(file)


def one_sentence(err: str, *said: str) -> None:
    """That an error is one sentence for a person, which says these things."""
    assert len(err.strip().splitlines()) == 1, err
    assert 20 < len(err) < 600, err
    for sign in ("Traceback", "unexpected", "sqlalche.me", "Errno"):
        assert sign not in err
    assert not CONTROL.search(err.rstrip("\n")), repr(err)
    for part in said:
        assert part in err


async def still_works(daemon: DaemonProcess, key: str, number: int = 0) -> None:
    """That a post handed in now is stored and judged: whatever was done before has stopped nothing."""
    status, out, err = await daemon.command("replay", replay_file(daemon.config.parent, post_of(key, claim_of(number or 77))))
    assert (status, out, err) == (0, "accepted 1, duplicates 0, unmatched 0\n", "")
    await daemon.until("/mentions", lambda page: any(one["platform_id"] == key for one in page["items"]))


def run_here(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """A command inside this process, which is much quicker: exit status, stdout, and stderr without the log."""
    umask = os.umask(0o077)
    os.umask(umask)
    try:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
    finally:
        os.umask(umask)  # the daemon changes it for the files that it makes
    out, err = capfd.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, out, "\n".join(line for line in err.splitlines() if not line.startswith("{"))
