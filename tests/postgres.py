"""A real PostgreSQL server for the tests: one private cluster a session, one fresh database a test."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from monitor.settings import Settings
from monitor.settings.model import Store
from monitor.store import Database


def _binaries() -> Path | None:
    """The folder of initdb and postgres: on PATH, or where Debian puts them."""
    for folder in [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *map(Path, os.environ["PATH"].split(":"))]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


class Postgres:
    """A cluster in a folder of its own: its programs and its socket. It may be stopped and started again."""

    def __init__(self, binaries: Path, *options: str) -> None:
        self.binaries = binaries
        self._options = options
        self.folder = Path(tempfile.mkdtemp(prefix="exowatch-pg-"))
        self._server: subprocess.Popen[bytes] | None = None
        self._user: str | None = None
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            self._user = "postgres"
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, pwd.getpwnam(self._user).pw_gid)
        subprocess.run(
            [
                binaries / "initdb",
                "-D",
                self._data,
                "-U",
                "exowatch",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            check=True,
            user=self._user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )

    def start(self) -> None:
        """Returns when it takes connections."""
        options = ["-k", str(self.folder), "-c", "listen_addresses=", "-c", "max_connections=200", *self._options]
        self._server = subprocess.Popen(
            [self.binaries / "postgres", "-D", self._data, *options],
            user=self._user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while subprocess.run([self.binaries / "pg_isready", "-q", "-h", self.folder], check=False).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError("PostgreSQL did not start")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stops it without waiting for its clients, as an operator's restart does."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(60)
            self._server = None

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)  # at once: nobody reads what it would still write
        shutil.rmtree(self.folder, ignore_errors=True)

    def want_passwords(self) -> None:
        """From the next start on, whoever connects must know a password."""
        (self._data / "pg_hba.conf").write_text("local all all scram-sha-256\n")

    def do(self, statement: str) -> None:
        """Runs one statement as the owner of everything."""
        psql: list[str | Path] = [
            self.binaries / "psql",
            "-q",
            "-h",
            self.folder,
            "-U",
            "exowatch",
            "-d",
            "postgres",
            "-c",
            statement,
        ]
        subprocess.run(psql, check=True, stdout=subprocess.DEVNULL)

    def empty_database(self) -> str:
        """The `store.url` of a new database that exowatch has never seen."""
        return self._created("template1")

    def fresh_database(self) -> str:
        """The `store.url` of a new database with exowatch's tables and no rows: a copy of one that was migrated once."""
        return self._created(self._migrated)

    def _created(self, template: str) -> str:
        name = f"t{uuid.uuid4().hex}"
        self.do(f"CREATE DATABASE {name} TEMPLATE {template}")
        return f"postgresql://exowatch@/{name}?host={self.folder}"

    @cached_property
    def _migrated(self) -> str:
        url = self.empty_database()
        migrate(url)
        return Path(urlsplit(url).path).name

    @property
    def _data(self) -> Path:
        return self.folder / "data"


def migrate(store_url: str) -> None:
    """Makes exowatch's tables in an empty database."""

    async def made() -> None:
        database = Database(Settings(store=Store(url=store_url)).sqlalchemy_url)
        await database.migrate()
        await database.close()

    with ThreadPoolExecutor(1) as apart:  # tests ask from within a running loop too
        apart.submit(asyncio.run, made()).result()


@contextmanager
def running_postgres(*options: str) -> Iterator[Postgres]:
    """A running cluster that is gone at the end; `options` are added to the server's command line. Raises FileNotFoundError."""
    binaries = _binaries()
    if binaries is None:
        raise FileNotFoundError("PostgreSQL is not installed (apt install postgresql)")
    cluster = Postgres(binaries, *options)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def _for_tests() -> Iterator[Postgres]:
    try:
        with running_postgres("-c", "fsync=off") as cluster:
            yield cluster
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A running PostgreSQL that all tests share; skips where none is installed."""
    yield from _for_tests()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A running PostgreSQL for one test, which may stop it; skips where none is installed."""
    yield from _for_tests()
