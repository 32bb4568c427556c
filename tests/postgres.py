"""A real PostgreSQL server for the tests: one private cluster a session, one fresh database a test."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


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
        deadline = time.monotonic() + 30
        while subprocess.run([self.binaries / "pg_isready", "-q", "-h", self.folder], check=False).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError("PostgreSQL did not start")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stops it without waiting for its clients, as an operator's restart does."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(30)
            self._server = None

    def remove(self) -> None:
        self.stop()
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

    def fresh_database(self) -> str:
        """The `store.url` of a new, empty database."""
        name = f"t{uuid.uuid4().hex}"
        subprocess.run([self.binaries / "createdb", "-h", self.folder, "-U", "exowatch", name], check=True)
        return f"postgresql://exowatch@/{name}?host={self.folder}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"


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
