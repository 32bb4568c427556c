"""A real PostgreSQL server for the tests: one private cluster a session, one fresh database a test."""

from __future__ import annotations

import asyncio
import atexit
import os
import pwd
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from monitor.settings import Settings
from monitor.settings.model import Store
from monitor.store import Database
from tests.scratch import short_folder


def _binaries() -> Path | None:
    """The folder of initdb and postgres: on PATH, or where Debian puts them."""
    for folder in [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *map(Path, os.environ["PATH"].split(":"))]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


# Options of a server for tests: what is committed outlives it however it ends, unless the machine ends too. Hundreds of databases
# would keep the autovacuum busy, and shared memory lies in the cluster's folder, and goes with it.
QUICK = tuple(
    word
    for setting in (
        "fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "autovacuum=off",
        "dynamic_shared_memory_type=mmap",
    )
    for word in ("-c", setting)
)  # fmt: skip


@cache
def _initialised(binaries: Path, user: str | None) -> Path:
    """A data folder as initdb makes it, for copies: to make one takes as long as many tests do."""
    folder = short_folder("exowatch-pg-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    fixed = ("-U", "exowatch", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
    subprocess.run(
        [binaries / "initdb", "-D", folder / "data", *fixed], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL
    )
    return folder / "data"


class Postgres:
    """A cluster in a folder of its own: its data and its socket. It may be stopped and started again."""

    def __init__(self, binaries: Path, *options: str, folder: Path | None = None) -> None:
        self.binaries = binaries
        self._options = options
        self.folder = folder or short_folder("exowatch-pg-")
        self._server: subprocess.Popen[bytes] | None = None
        self._done: list[str] = []
        self._user = "postgres" if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
        if self._user is not None:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, pwd.getpwnam(self._user).pw_gid)
        template = _initialised(binaries, self._user)
        subprocess.run(["cp", "-a", template, self._data], check=True, user=self._user, cwd=self.folder)

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

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def remove(self) -> None:
        self.stop()  # in order: one that ends at once leaves its shared memory behind
        shutil.rmtree(self.folder, ignore_errors=True)

    def want_passwords(self) -> None:
        """From the next start on, whoever connects must know a password."""
        (self._data / "pg_hba.conf").write_text("local all all scram-sha-256\n")

    def do(self, *statements: str) -> None:
        """Runs statements, one after the other, as the owner of everything."""
        psql: list[str | Path] = [self.binaries / "psql", "-q", "-h", self.folder, "-U", "exowatch", "-d", "postgres"]
        words = [word for statement in statements for word in ("-c", statement)]
        subprocess.run([*psql, *words], check=True, stdout=subprocess.DEVNULL)

    def drop(self, store_url: str) -> None:
        """Nobody needs this database any more: it goes when the next one is made."""
        self._done.append(f'DROP DATABASE "{Path(urlsplit(store_url).path).name}" WITH (FORCE)')

    def empty_database(self) -> str:
        """The `store.url` of a new database that exowatch has never seen."""
        return self._created("template1")

    def fresh_database(self) -> str:
        """The `store.url` of a new database with exowatch's tables and no rows: a copy of one that was migrated once."""
        return self._created(self._migrated)

    def _created(self, template: str) -> str:
        name = f"t{uuid.uuid4().hex}"
        # From 15 on it would be copied by way of the log, which is twice the work.
        strategy = "STRATEGY FILE_COPY" if int((self._data / "PG_VERSION").read_text()) >= 15 else ""
        self.do(*self._done, f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
        self._done.clear()
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
def running_postgres(*options: str, folder: Path | None = None) -> Iterator[Postgres]:
    """A running cluster that is gone at the end; `options` are added to the server's command line. Raises FileNotFoundError.

    `folder` is an empty one for it, where a new one will not do.
    """
    binaries = _binaries()
    if binaries is None:
        raise FileNotFoundError("PostgreSQL is not installed (apt install postgresql)")
    cluster = Postgres(binaries, *options, folder=folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def _for_tests() -> Iterator[Postgres]:
    try:
        with running_postgres(*QUICK) as cluster:
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
