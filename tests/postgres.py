"""A real PostgreSQL server for the tests: one private cluster a session, one fresh database a test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


def _binaries() -> Path | None:
    """The folder of initdb and postgres: on PATH, or where Debian puts them."""
    for folder in [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *map(Path, os.environ["PATH"].split(":"))]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


@dataclass
class Postgres:
    """A running cluster: its programs and its socket folder."""

    binaries: Path
    folder: Path

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while subprocess.run([self.binaries / "pg_isready", "-q", "-h", self.folder], check=False).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError("PostgreSQL did not start")
            time.sleep(0.05)

    def fresh_database(self) -> str:
        """The `store.url` of a new, empty database."""
        name = f"t{uuid.uuid4().hex}"
        subprocess.run([self.binaries / "createdb", "-h", self.folder, "-U", "exowatch", name], check=True)
        return f"postgresql://exowatch@/{name}?host={self.folder}"


@contextmanager
def running_postgres(*options: str) -> Iterator[Postgres]:
    """A running cluster that is gone at the end; `options` are added to the server's command line. Raises FileNotFoundError."""
    binaries = _binaries()
    if binaries is None:
        raise FileNotFoundError("PostgreSQL is not installed (apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="exowatch-pg-"))
    user: str | None = None
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        user = "postgres"
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    data = folder / "data"
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "exowatch", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
        check=True,
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    fixed = ["-k", str(folder), "-c", "listen_addresses=", "-c", "max_connections=200"]
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, *fixed, *options],
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    cluster = Postgres(binaries, folder)
    try:
        cluster.wait_until_ready()
        yield cluster
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A running PostgreSQL; skips where none is installed."""
    try:
        with running_postgres("-c", "fsync=off") as server:
            yield server
    except FileNotFoundError as error:
        pytest.skip(str(error))
