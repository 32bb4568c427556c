"""For tests to which the kind of database makes no difference: `from tests.one_database import store_url` takes SQLite alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def store_url(tmp_path: Path, sqlite_with_tables: Path) -> str:
    """A `store.url` of a SQLite file with exowatch's tables and no rows."""
    return f"sqlite:///{shutil.copyfile(sqlite_with_tables, tmp_path / 'store.sqlite')}"
