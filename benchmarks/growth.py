"""How cost grows: with the mentions stored, with the claims on record, with the sources watched."""

from __future__ import annotations

from benchmarks.growth_claims import by_claims
from benchmarks.growth_mentions import by_mentions, in_redis
from benchmarks.growth_sources import by_sources
from benchmarks.measure import Figure, Scale

_FULL = 1_000_000


async def run(scale: Scale) -> list[Figure]:
    """1,000 mentions to the greatest size, 1 claim to a tenth of it, 1 source to 50. PostgreSQL only where the size is full."""
    most = max(scale.sizes)
    figures = await by_mentions(scale, powers(1_000, most), postgres=most >= _FULL)
    figures += await in_redis(powers(1_000, most // 10))
    figures += await by_claims(scale, powers(1, most // 10))
    return figures + await by_sources(scale)


def powers(least: int, most: int) -> list[int]:
    """The least number and its tenfolds up to `most`."""
    found = [least]
    while found[-1] * 10 <= most:
        found.append(found[-1] * 10)
    return found
