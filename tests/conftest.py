"""What every test may ask for."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from monitor.settings import Settings
from monitor.store import Database
from monitor.stream import Stream
from tests import scratch
from tests.api_server import Api, serving
from tests.browser import opened_browser
from tests.delivering import clock, receiver
from tests.postgres import Postgres, migrate, own_postgres, postgres_server
from tests.servers import redis_server, redis_url

__all__ = ["clock", "own_postgres", "postgres_server", "receiver", "redis_server", "redis_url"]


# Where it is set, every process that a test starts would compile all of exowatch anew, which is most of what a start costs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_configure(config: pytest.Config) -> None:
    """Workers are given the folder of the process that started them."""
    folder = None if hasattr(config, "workerinput") else scratch.use_memory()
    if folder is not None:
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores: most of these tests wait for processes of their own."""
    return max(3, len(os.sched_getaffinity(0)))


SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def default_logging() -> Iterator[None]:
    """structlog as it is by itself, whatever command ran in this process before and set it up; but tracebacks are plain, for the
    coloured ones take seconds each."""
    structlog.reset_defaults()
    *others, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure([*others, plain])
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
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A `store.url` of a database with exowatch's tables and no rows, of each kind in turn."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_with_tables"), tmp_path / "store.sqlite")
        yield f"sqlite:///{tmp_path}/store.sqlite"
    else:
        postgres: Postgres = request.getfixturevalue("postgres_server")
        url = postgres.fresh_database()
        yield url
        postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A `store.url` of a database that exowatch has never seen, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.sqlite"
    else:
        postgres: Postgres = request.getfixturevalue("postgres_server")
        url = postgres.empty_database()
        yield url
        postgres.drop(url)


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    """An open, migrated database, of each kind in turn."""
    database = Database(Settings(store={"url": store_url}).sqlalchemy_url)
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
async def stream(redis_url: str) -> AsyncIterator[Stream]:
    """The stream in an empty Redis."""
    stream = await Stream.open(redis_url)
    yield stream
    await stream.close()


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    """A server over an empty database, without a token."""
    async with serving(database, redis_url) as api:
        yield api


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    """Chromium; skips where there is none."""
    async with opened_browser() as browser:
        yield browser
