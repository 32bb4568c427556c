"""The stream between those who hear posts and those who judge them: the one package that knows Redis streams.

Streams in brief
----------------
A stream is a list that only grows at its end; every entry has an id of milliseconds and a count, `1763812800000-0`. A *group*
shares a stream among consumers: `XREADGROUP … >` hands each entry to one of them and keeps it on that consumer's *pending list*
until it is acknowledged. A consumer that dies leaves its pending entries behind; they never come again through `>`, so others
claim what has rested there too long. That makes delivery at least once; the store's unique keys make the effect once.

We delete an entry in the same step in which we acknowledge it, so a stream holds exactly what is not yet done, and we never trim:
trimming ignores groups and would drop what nobody has read. A producer adds an entry, remembers its key and moves its source's
cursor in one script, so a crash repeats a batch and never skips one, and a repeated batch adds nothing. It also counts how often
the source has published: a server that knows of fewer times than the source has lost what came last, and refuses to move on.

Keys (`keys.py`; versioned, and hash-tagged by partition so that each script stays inside one slot of a cluster)
----------------------------------------------------------------------------------------------------------------
| key                                 | type   | holds                                                                       |
|-------------------------------------|--------|-----------------------------------------------------------------------------|
| `exowatch:v1:{pN}:mentions`         | stream | what is not done yet: `d` opaque data, `v` its format; group `workers`      |
| `exowatch:v1:{pN}:seen:<yyyymmdd>`  | set    | the keys of the items of one UTC day; gone after three days                 |
| `exowatch:v1:{pN}:dead`             | stream | what failed too often: `d`, `v`, `id`, `deliveries`, `error`; never trimmed |
| `exowatch:v1:{p0}:cursors`          | hash   | source name to cursor, the collector's own text                             |
| `exowatch:v1:{pN}:moves`            | hash   | source name to how often it published: fewer than it counted means a loss   |
| `exowatch:v1:{p0}:signals`          | stream | wake-ups, `k` kind and `i` id: bounded and lossy; nothing depends on one    |
| `exowatch:v1:{p0}:partitions`       | string | how many partitions the keys above were spread over                         |
| `exowatch:v1:{p0}:leases`           | hash   | who does what only one may do: until when, owner, and who asks for it       |
| `exowatch:v1:{p0}:processes`        | zset   | names of processes that share their metrics, by when they last did          |
| `exowatch:v1:{p0}:metrics:<name>`   | string | the metrics of one, opaque to the stream; gone two minutes after the last   |
| `exowatch:v1:{p0}:names:<yyyymmdd>` | set    | names of the posts and authors published on one UTC day; gone after three   |
| `exowatch:v1:{p0}:said:<yyyymmdd>`  | hash   | the version of each post's text that each source said last, hashed          |
| `exowatch:v1:{p0}:bucket:<name>`    | hash   | what a credential may ask: `tokens`, `at`; `until`, `rest`, `failures`      |
| `exowatch:v1:{p0}:spent:…`          | string | what a credential spent of a unit in a day or month                         |
| `exowatch:v1:{p0}:distinct:<name>`  | zset   | different things that a credential asked for, by when it first did          |

Works with Redis 6.2 and newer, by the commands of 6.2 alone: there is one path and no version check in it. The keys may lie on
one server, behind Sentinels, or on the nodes of a Cluster (`servers.py`). `noeviction` is wanted: a server that evicts drops
streams together with their groups.
"""

from monitor.stream.buckets import Buckets, Spending, Taken
from monitor.stream.connection import LeaseLost, StreamError, StreamFull, StreamRewound, StreamUnavailable
from monitor.stream.keys import ABANDONED_LIMIT, CLAIM_AFTER_S, MAX_BLOCK_S, MAX_DELIVERIES
from monitor.stream.leases import Held, Leases
from monitor.stream.reader import Reader
from monitor.stream.records import DeadEntry, Entry, Item, Place, Signal, StreamStats
from monitor.stream.stream import Stream

__all__ = [
    "ABANDONED_LIMIT",
    "CLAIM_AFTER_S",
    "MAX_BLOCK_S",
    "MAX_DELIVERIES",
    "Buckets",
    "DeadEntry",
    "Entry",
    "Held",
    "Item",
    "LeaseLost",
    "Leases",
    "Place",
    "Reader",
    "Signal",
    "Spending",
    "Stream",
    "StreamError",
    "StreamFull",
    "StreamRewound",
    "StreamStats",
    "StreamUnavailable",
    "Taken",
]
