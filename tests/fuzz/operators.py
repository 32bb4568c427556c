"""The parsers of what the operator gives: configuration, a topic pack, lines of `classify` and `evaluate`, a backup."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import msgspec
from pydantic import ValidationError

from monitor.backup import BackupError, Label, _unpack
from monitor.cli.classify import _read as read_post
from monitor.cli.evaluate import _labelled
from monitor.lines import LineError, bounded_lines, text_of
from monitor.settings import Settings, SettingsError, load
from monitor.settings.redis_url import read_redis_url
from monitor.topic import TopicError, load_topic
from tests.fuzz.parser import Parser
from tests.test_second_topic import PACK

WATCHLIST = "- {name: Xoglo, kind: brand, also: [Xo Glo, XOGLO+]}\n- {name: Dr Rye, kind: person}\n"
CONFIG = b"""topic = "bread"
data_dir = "data"
[redis]
url = "redis://me:secret@redis:6379/0"
[api]
token = "a-token-of-the-api"
[[endpoint]]
name = "hook"
kind = "webhook"
url = "https://receiver.test/hook"
secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
events = ["claim.new"]
quiet = "22:00-07:00 Europe/Berlin"
[[source]]
name = "blog"
kind = "feed"
url = "https://clinic.test/feed"
interval = "5m"
"""
REDIS_URLS = (
    b"redis://me:secret@redis:6379/0",
    b"rediss+sentinel://me:secret@a:26379,b:26379/mymaster/0?sentinel_password=x",
    b"redis+cluster://a:6379,[::1]:6380",
    b"unix:///run/redis.sock?db=1",
)
STORE_URLS = (b"postgresql://me:secret@db:5432/exowatch?ssl=require", b"sqlite:////var/lib/exowatch/store.sqlite")
POST = json.dumps({"id": "1", "title": "Rye", "text": "Rye bread is made of flour.", "lang": "en"}).encode()
CLAIM = {"quote": "Rye heals", "type": "disease_treatment", "stance": "asserts", "verdict": "contradicted", "claim_key": "heals"}
LABELLED = {"id": "1", "text": "Rye heals.", "lang": "en", "claims": [CLAIM], "relevant": True, "alert": True}


@cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="exowatch-fuzz-")


def _folder() -> Path:
    """A folder for files that are read from a disk; it goes with the process."""
    return Path(_kept().name)


def _config(body: bytes) -> object:
    file = _folder() / "monitor.toml"
    file.write_bytes(body)
    return load(file)


def _redis(body: bytes) -> object:
    url = Settings(redis={"url": body.decode("utf-8", "surrogateescape")}).redis.url
    return url and read_redis_url(url)


def _store(body: bytes) -> object:
    return Settings(store={"url": body.decode("utf-8", "surrogateescape")}).sqlalchemy_url


def _file_of_pack(name: str, content: str) -> bytes:
    return f"{name}\n{content}".encode()


def _pack(body: bytes) -> object:
    """A good pack in which the file that the first line names is what follows."""
    name, _, content = body.partition(b"\n")
    pack = {**{one: text.encode() for one, text in PACK.items()}, "watchlist.yaml": WATCHLIST.encode()}
    named = name.decode("utf-8", "replace")
    pack[named if named in pack else "topic.yaml"] = content
    for one, text in pack.items():
        file = _folder() / "pack" / one
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
    return load_topic(_folder() / "pack")


def _lines(body: bytes) -> object:
    return [read_post(number, line) for number, line, _ in bounded_lines(io.BytesIO(body))]


def _labels(body: bytes) -> object:
    return [_labelled(text_of(line)) for _, line, _ in bounded_lines(io.BytesIO(body))]


@cache
def _packed() -> bytes:
    label = Label(format=1, program="1", made_at="2026-11-22T12:00:00Z", partitions=1, record=False, found={})
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as packed:
        for name, content in (("backup.json", msgspec.json.encode(label)), ("stream.jsonl", b"{}\n"), ("../beyond", b"x")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _backup(body: bytes) -> object:
    with tempfile.TemporaryDirectory(dir=_folder()) as place:
        file, into = Path(place) / "a.tar.gz", Path(place) / "into"
        into.mkdir()
        file.write_bytes(body)
        found = _unpack(file, into)
        assert {one.name for one in Path(place).iterdir()} == {"a.tar.gz", "into"}
        return found


OPERATORS: dict[str, Parser] = {
    "config files": Parser((CONFIG,), _config, (SettingsError,)),
    "redis.url": Parser(REDIS_URLS, _redis, (ValidationError,)),
    "store.url": Parser(STORE_URLS, _store, (ValidationError,)),
    "topic packs": Parser(
        tuple(_file_of_pack(name, text) for name, text in (*PACK.items(), ("watchlist.yaml", WATCHLIST))), _pack, (TopicError,)
    ),
    "lines of classify": Parser((POST, b"Rye bread is made of flour.\n" + POST), _lines, (LineError,)),
    "lines of evaluate": Parser((json.dumps(LABELLED).encode(),), _labels, (LineError,)),
    "backups": Parser((_packed(),), _backup, (BackupError,)),
}
