"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import redis_server, redis_url

__all__ = ["redis_server", "redis_url", "shared"]

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded wire data and labelled posts that lies beside the checkout; skips where it is missing."""
    if not (SHARED / "DESIGN.md").exists():
        pytest.skip("../shared is missing: recorded platform data and labelled posts lie there")
    return SHARED
