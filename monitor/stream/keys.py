"""Every key and every number of the stream, in one place; the package's docstring says what the keys hold."""

from __future__ import annotations

import datetime as dt
import zlib

PREFIX = "exowatch:v1"
GROUP = "workers"
ENTRY_FORMAT = "1"  # the field `v`: how the field `d` is to be read

CURSORS = f"{PREFIX}:{{p0}}:cursors"
SIGNALS = f"{PREFIX}:{{p0}}:signals"
PARTITIONS = f"{PREFIX}:{{p0}}:partitions"
PROCESSES = f"{PREFIX}:{{p0}}:processes"
LEASES = f"{PREFIX}:{{p0}}:leases"

# An entry that fails this often is set aside as dead; each time it rests for CLAIM_AFTER_S before it comes again.
MAX_DELIVERIES = 5
# An entry whose worker dies or stalls every time has no outcome to count. From its third delivery on it is handed out alone, with
# CLAIM_AFTER_S in between, so that all others go on and a worker that is killed in quick succession for reasons of its own does
# not bury what it began with; after this many deliveries it is dead too. It is more than MAX_DELIVERIES because the first deaths
# say nothing about one entry of a batch.
SUSPECT_AFTER = 2
ABANDONED_LIMIT = 10
# An entry that rests unsettled for this long is taken to be abandoned. It must exceed the slowest honest batch, or be renewed.
CLAIM_AFTER_S = 60.0
# How often a reader looks for abandoned entries at most; one cheap call each.
CLAIM_EVERY_S = 5.0

# A blocked read keeps its connection for this long at most: a reader told to stop is free within it, without a cancelled read.
MAX_BLOCK_S = 2.0
TIMEOUT_S = 5.0

# One script call holds up the whole server, so a batch is published in parts of at most so many items and bytes. (Lua's
# `unpack` bears 8,000 values.)
MAX_PART_ITEMS = 1_000
MAX_PART_BYTES = 4 * 1024 * 1024

# Producers wait when so many entries of a partition are not done (some 200 MB of ordinary posts), or when the server has used
# this share of its `maxmemory`. They look once in ROOM_EVERY_S, so there is always slack beyond both.
MAX_WAITING = 200_000
MAX_MEMORY_SHARE = 0.8
ROOM_EVERY_S = 1.0

# What a process counted is kept for so long after it last said so: longer than between two scrapes of a slow Prometheus, so that
# the last figures of one that ended are seen.
METRICS_KEPT_S = 120
MAX_PROCESSES = 500
LEASES_TIMEOUT_S = 2.0  # several tries in the time for which a lease is safe
METRICS_TIMEOUT_S = 2.0  # figures are worth no long wait

SIGNALS_KEPT = 10_000
SEEN_KEPT_S = 3 * 86_400
MAX_ERROR = 2_000  # characters of an error kept with a dead entry
MAX_SEQ = 8_191  # thirteen bits of Entry.number

# What collectors may ask of others: one hash a bucket, one count for each thing that is capped in a period, one set of what
# may be distinct only so often. They are forgotten when nobody has looked at them for longer than they can matter.
BUCKET_KEPT_S = 2 * 86_400
# The names of posts that were published, and of their authors: what may still wait in the stream, or has just been taken from it.
NAMES_KEPT_S = 3 * 86_400
PURGE_PAGE = 500


def bucket_key(name: str) -> str:
    return f"{PREFIX}:{{p0}}:bucket:{name}"


def spent_key(name: str, unit: str, period: str) -> str:
    return f"{PREFIX}:{{p0}}:spent:{name}:{unit}:{period}"


def distinct_key(name: str) -> str:
    return f"{PREFIX}:{{p0}}:distinct:{name}"


def names_keys(now_ms: int) -> tuple[str, str, str, str]:
    """The sets of names of today, yesterday, the day before and tomorrow (UTC)."""
    today = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC)
    first, *others = (f"{PREFIX}:{{p0}}:names:{today + dt.timedelta(days=day):%Y%m%d}" for day in (0, -1, -2, 1))
    return first, others[0], others[1], others[2]


def mentions_key(partition: int) -> str:
    return f"{PREFIX}:{{p{partition}}}:mentions"


def dead_key(partition: int) -> str:
    return f"{PREFIX}:{{p{partition}}}:dead"


def moves_key(partition: int) -> str:
    return f"{PREFIX}:{{p{partition}}}:moves"


def metrics_key(process: str) -> str:
    return f"{PREFIX}:{{p0}}:metrics:{process}"


def seen_keys(partition: int, now_ms: int) -> tuple[str, str, str]:
    """The sets of today, yesterday and tomorrow (UTC); tomorrow's because another producer's clock may be ahead of ours."""
    today = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC)
    days = (today, today - dt.timedelta(days=1), today + dt.timedelta(days=1))
    first, second, third = (f"{PREFIX}:{{p{partition}}}:seen:{day:%Y%m%d}" for day in days)
    return first, second, third


def said_keys(now_ms: int) -> tuple[str, str]:
    """What sources said today and yesterday (UTC)."""
    today = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC)
    first, second = (f"{PREFIX}:{{p0}}:said:{today - dt.timedelta(days=day):%Y%m%d}" for day in (0, 1))
    return first, second


def partition_of(key: str, partitions: int) -> int:
    """Where an item's key belongs: the same on every machine and in every Python."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % partitions
