"""What every test may ask for."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from monitor.settings import Settings
from monitor.store import Database
from tests.delivering import clock, receiver
from tests.postgres import Postgres, migrate, own_postgres, postgres_server
from tests.servers import redis_server, redis_url

__all__ = ["clock", "own_postgres", "postgres_server", "receiver", "redis_server", "redis_url"]


def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores: most of these tests wait for processes of their own."""
    return max(3, len(os.sched_getaffinity(0)))


SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def default_logging() -> Iterator[None]:
    """Leaves structlog as it found it: a command that runs inside a test sets it up for the whole process."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded wire data and labelled posts that lies beside the checkout; skips where it is missing."""
    if not (SHARED / "DESIGN.md").exists():
        pytest.skip("../shared is missing: recorded platform data and labelled posts lie there")
    return SHARED


@pytest.fixture(scope="session")
def sqlite_with_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file as exowatch makes it, for copies: to migrate one for each test takes longer than most tests do."""
    file = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A `store.url` of a database with exowatch's tables and no rows, of each kind in turn."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_with_tables"), tmp_path / "store.sqlite")
        return f"sqlite:///{tmp_path}/store.sqlite"
    postgres: Postgres = request.getfixturevalue("postgres_server")
    return postgres.fresh_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A `store.url` of a database that exowatch has never seen, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite"
    postgres: Postgres = request.getfixturevalue("postgres_server")
    return postgres.empty_database()


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    """An open, migrated database, of each kind in turn."""
    database = Database(Settings(store={"url": store_url}).sqlalchemy_url)
    await database.migrate()
    yield database
    await database.close()
