"""Configuration that cannot be used: exit status 1 and one sentence that names the key, where it stands and what is allowed.

tests/test_settings.py holds the ordinary mistakes; these are the odd ones.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.abuse import one_sentence, run_here

FEED = '[[source]]\nname = "a"\nkind = "feed"\nurl = "http://x"\n'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOK = f'[[endpoint]]\nname = "a"\nkind = "webhook"\nsecret = "{SECRET}"\n'
ROWS: dict[str, tuple[str | bytes, str]] = {
    "binary": (b"\x00\x01\x02\xff\xfe", "cannot be read"),
    "utf-16": ('data_dir = "x"'.encode("utf-16"), "cannot be read"),
    "nul": (b'data_dir = "x"\0', "not valid TOML"),
    "deep-nesting": ("x = " + "[" * 100_000, "nested"),
    "endless-file": ("#" * 1_000_001, "1000 kB"),
    "secret-file-without-end": (HOOK.replace(SECRET, "file:/dev/zero") + 'url = "https://x"', "65536"),
    "a-key-twice": ('topic = "a"\ntopic = "b"', "not valid TOML"),
    "json-instead": ('{"data_dir": "x"}', "not valid TOML"),
    "section-is-a-value": ("api = 7", "api"),
    "source-is-a-table": ('[source]\nname = "a"', "source"),
    "nul-in-data-dir": ('data_dir = "a\\u0000b"', "data_dir"),
    "data-dir-is-a-number": ("data_dir = 7", "data_dir"),
    "data-dir-is-empty": ('data_dir = ""', "data_dir"),
    "negative-age": ('[alerts]\nmax_age = "-7d"', "alerts.max_age"),
    "negative-age-in-seconds": ("[alerts]\nmax_age = -7", "alerts.max_age"),
    "age-is-not-a-number": ("[alerts]\nmax_age = nan", "alerts.max_age"),
    "endless-age": ("[alerts]\nmax_age = inf", "alerts.max_age"),
    "age-of-a-billion-years": ('[alerts]\nmax_age = "999999999999d"', "alerts.max_age"),
    "confidence-is-not-a-number": ("[alerts]\nmin_confidence = nan", "alerts.min_confidence"),
    "interval-is-not-a-number": (FEED + "interval = nan", "interval"),
    "port-is-a-text": ('[api]\nport = "http"', "api.port"),
    "negative-port": ("[api]\nport = -1", "api.port"),
    "huge-number": (f"[api]\nport = {'9' * 400}", "api.port"),
    "topic-leads-out": ('topic = "../../../etc"', "topic"),
    "topic-with-nul": ('topic = "a\\u0000"', "topic"),
    "source-name-with-escape": (FEED.replace('"a"', '"\\u001b[31m"'), "name"),
    "source-name-with-newline": (FEED.replace('"a"', '"a\\nb"'), "name"),
    "url-with-newline": (FEED.replace("http://x", "http://x/\\r\\nHost: y"), "url"),
    "url-without-host": (FEED.replace("http://x", "http://"), "url"),
    "url-with-broken-host": (FEED.replace("http://x", "http://[::1"), "url"),
    "url-with-huge-port": (FEED.replace("http://x", "http://x:99999"), "url"),
    "file-url": (FEED.replace("http://x", "file:///etc/passwd"), "url"),
    "user-agent-with-newline": (FEED + 'user_agent = "a\\r\\nCookie: b"', "user_agent"),
    "hook-url-with-newline": (HOOK + 'url = "https://x/\\nb"', "url"),
    "secret-file-is-missing": (HOOK.replace(SECRET, "file:/nowhere/secret") + 'url = "https://x"', "/nowhere/secret"),
    "secret-file-is-a-folder": (HOOK.replace(SECRET, "file:/tmp") + 'url = "https://x"', "/tmp"),
    "secret-file-with-nul": (HOOK.replace(SECRET, "file:a\\u0000b") + 'url = "https://x"', "secret"),
    "store-with-huge-port": ('[store]\nurl = "postgresql://u:s3cret@localhost:99999/x"', "store.url"),
    "store-with-odd-port": ('[store]\nurl = "postgresql://u:s3cret@localhost:port/x"', "store.url"),
    "store-with-unknown-option": ('[store]\nurl = "postgresql://u:s3cret@localhost/x?colour=red"', "colour"),
    "redis-with-odd-port": ('[redis]\nurl = "redis://:s3cret@localhost:port/0"', "redis.url"),
    "redis-with-slash-in-password": ('[redis]\nurl = "redis://:s3cret/more@localhost:6379/0"', "redis.url"),
    "redis-with-unknown-option": ('[redis]\nurl = "redis://:s3cret@localhost/0?colour=red"', "redis.url"),
    "redis-without-a-path": ('[redis]\nurl = "unix://"', "redis"),
    "redis-at-an-endless-path": (f'[redis]\nurl = "unix:///{"x" * 300}"', "redis"),
    "host-that-is-none": ('[api]\nhost = "not a host"\ntoken = "t"\nport = 0', "api.host"),
    "host-of-another-machine": ('[api]\nhost = "192.0.2.1"\ntoken = "t"\nport = 0', "192.0.2.1"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_config_that_cannot_be_used_is_one_sentence(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content, said = ROWS[name]
    config = tmp_path / "monitor.toml"
    config.write_bytes(content if isinstance(content, bytes) else content.encode())
    status, out, err = run_here(["run", "--config", str(config)], capfd)
    assert (status, out) == (1, "")
    one_sentence(err, said)
    assert "s3cret" not in err


ENVIRONMENT = {
    "sources-are-not-json": ("EXOWATCH_SOURCE", "[{"),
    "sources-are-nested-deeply": ("EXOWATCH_SOURCE", "[" * 20_000),
    "sources-are-an-object": ("EXOWATCH_SOURCE", json.dumps({"name": "a"})),
    "a-section-is-a-text": ("EXOWATCH_API", "7"),
    "a-key-is-misspelt": ("EXOWATCH_API__PROT", "1"),
    "a-port-is-a-text": ("EXOWATCH_API__PORT", "http"),
    "the-config-is-a-folder": ("EXOWATCH_CONFIG", "/tmp"),
    "the-config-is-missing": ("EXOWATCH_CONFIG", "/nowhere/monitor.toml"),
}


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_an_environment_that_cannot_be_used_is_one_sentence(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, value = ENVIRONMENT[name]
    (tmp_path / "monitor.toml").write_text('data_dir = "data"')
    monkeypatch.setenv("EXOWATCH_CONFIG", str(tmp_path / "monitor.toml"))
    monkeypatch.setenv(variable, value)
    status, out, err = run_here(["mentions"], capfd)
    assert (status, out) == (1, "")
    one_sentence(err)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "monitor.toml"
    config.write_bytes(b'\xef\xbb\xbfdata_dir = "data"\r\n')
    status, _, err = run_here(["mentions", "--config", str(config)], capfd)
    assert status == 1
    one_sentence(err, "no database at", "exowatch run")
