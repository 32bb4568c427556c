"""What may be asked of others, counted in Redis, so that all processes that share a credential share its allowance.

Two scripts: one takes, one is told what came of it. Both reckon by the server's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from monitor.stream.connection import Link, Script
from monitor.stream.keys import BUCKET_KEPT_S, bucket_key, distinct_key, spent_key

Why = Literal["free", "told", "resting", "rate", "spent", "distinct"]
_WHYS: tuple[Why, ...] = ("free", "told", "resting", "rate", "spent", "distinct")
PROBE_MS = 30_000  # how long others wait for the one that tries whether a peer is well again

# KEYS bucket, distinct set, then the count of each cap
# ARGV tokens at most, tokens a ms (0: no rate), cost, member ('': none), distinct at most, distinct ms, probe ms, seconds to
#   keep, then amount, cost and seconds to keep of each cap
# Takes all or nothing. Answers {ms to wait (0: taken), why, place of the cap that is spent}.
TAKE = Script(
    """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local found = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'until', 'rest')
local most, rate, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local told, rest = tonumber(found[3] or '0'), tonumber(found[4] or '0')
if told > now then return {told - now, 1, 0} end
if rest > now then return {rest - now, 2, 0} end

local tokens = most
if rate > 0 then
  local at = tonumber(found[2] or tostring(now))
  tokens = math.min(most, tonumber(found[1] or ARGV[1]) + math.max(0, now - at) * rate)
  if tokens + 1e-9 < cost then return {math.max(1, math.ceil((cost - tokens) / rate)), 3, 0} end
end
for i = 3, #KEYS do
  local at = 9 + (i - 3) * 3
  local used = tonumber(redis.call('GET', KEYS[i]) or '0')
  if used + tonumber(ARGV[at + 1]) > tonumber(ARGV[at]) + 1e-9 then return {1, 4, i - 2} end
end
local new = false
if ARGV[4] ~= '' then
  local kept = tonumber(ARGV[6])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - kept))
  if not redis.call('ZSCORE', KEYS[2], ARGV[4]) then
    if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then
      local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
      return {math.max(1, (tonumber(oldest[2] or '0') + kept) - now), 5, 0}
    end
    new = true
  end
end

if rest > 0 then redis.call('HSET', KEYS[1], 'rest', string.format('%.0f', now + tonumber(ARGV[7]))) end
if rate > 0 then
  redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens - cost), 'at', string.format('%.0f', now))
end
redis.call('EXPIRE', KEYS[1], ARGV[8])
for i = 3, #KEYS do
  local at = 9 + (i - 3) * 3
  if tonumber(ARGV[at + 1]) ~= 0 then
    -- Not INCRBYFLOAT: within a script it leaves Redis 6.2 with a list of arguments that is too short for the next long call.
    local used = tonumber(redis.call('GET', KEYS[i]) or '0')
    redis.call('SET', KEYS[i], string.format('%.17g', used + tonumber(ARGV[at + 1])), 'EX', ARGV[at + 2])
  end
end
if new then
  redis.call('ZADD', KEYS[2], string.format('%.0f', now), ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
end
return {0, 0, 0}
"""
)

# KEYS bucket
# ARGV ms to wait (0: nothing said), tokens left ('': nothing said), outcome (1 well, 0 failed, -1 neither), failures until it
#   rests, first rest ms, longest rest ms, seconds to keep
# What a peer said, and whether it is well: after so many failures in a row nobody asks it for a while, twice as long each time.
TOLD = Script(
    """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local found = redis.call('HMGET', KEYS[1], 'until', 'tokens', 'failures', 'rest')
local wait = tonumber(ARGV[1])
if wait > 0 and now + wait > tonumber(found[1] or '0') then
  redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + wait))
end
if ARGV[2] ~= '' and tonumber(ARGV[2]) < tonumber(found[2] or '1e15') then
  redis.call('HSET', KEYS[1], 'tokens', ARGV[2], 'at', string.format('%.0f', now))
end
if ARGV[3] == '1' then
  redis.call('HDEL', KEYS[1], 'failures', 'rest')
elseif ARGV[3] == '0' then
  local failures, limit = tonumber(found[3] or '0') + 1, tonumber(ARGV[4])
  redis.call('HSET', KEYS[1], 'failures', failures)
  if failures >= limit then
    local rest = math.min(tonumber(ARGV[5]) * 2 ^ math.min(failures - limit, 20), tonumber(ARGV[6]))
    redis.call('HSET', KEYS[1], 'rest', string.format('%.0f', now + rest))
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[7])
"""
)


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """A cap on what is spent in a period: how much of the unit this asking costs, and how much there may be in all.

    `period` names the day or month that it counts for; `kept_s` is how long the count is remembered.
    """

    unit: str
    period: str
    most: float
    cost: float
    kept_s: int


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Whether something was taken (`wait_ms` 0), and if not how long to wait and why. `unit`: what is spent."""

    wait_ms: int
    why: Why
    unit: str | None = None


class Buckets:
    """The counts of one Redis. Raises StreamUnavailable where it is away."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def take(
        self,
        name: str,
        *,
        most: float = 0,
        per_ms: float = 0,
        cost: float = 1,
        member: str = "",
        distinct: int = 0,
        distinct_ms: int = 0,
        spending: Sequence[Spending] = (),
    ) -> Taken:
        """Takes `cost` tokens of the bucket and what is to be spent, or nothing of either.

        `per_ms` tokens come back each millisecond, up to `most` (0: no rate). With `member`, at most `distinct` different members
        within `distinct_ms`.
        """
        keys = [bucket_key(name), distinct_key(name), *(spent_key(name, one.unit, one.period) for one in spending)]
        arguments: list[str | int] = [repr(float(most)), repr(float(per_ms)), repr(min(float(cost), float(most) or float(cost)))]
        arguments += [member, distinct, distinct_ms, PROBE_MS, BUCKET_KEPT_S]
        for one in spending:
            arguments += [repr(float(one.most)), repr(float(one.cost)), one.kept_s]
        wait_ms, why, place = await self._link.script(TAKE, keys, arguments)
        return Taken(wait_ms=int(wait_ms), why=_WHYS[int(why)], unit=spending[int(place) - 1].unit if place else None)

    async def told(
        self, name: str, *, wait_ms: int = 0, left: float | None = None, well: bool | None = None, failures: int = 5,
        rest_ms: int = 30_000, longest_ms: int = 900_000,
    ) -> None:  # fmt: skip
        """Notes what the peer said: to wait, how many tokens are left; and whether it did its work (None: that says nothing).

        After `failures` in a row it is left alone for `rest_ms`, and twice as long with each further one, up to `longest_ms`.
        """
        outcome = -1 if well is None else int(well)
        arguments: list[str | int] = [
            max(0, wait_ms),
            "" if left is None else repr(float(left)),
            outcome,
            failures,
            rest_ms,
            longest_ms,
        ]
        await self._link.script(TOLD, [bucket_key(name)], [*arguments, BUCKET_KEPT_S])

    async def add(self, name: str, unit: str, period: str, amount: float, kept_s: int) -> None:
        """Adds to what was spent in a period, where it is known only afterwards."""
        key = spent_key(name, unit, period)
        await self._link.together(("INCRBYFLOAT", key, repr(float(amount))), ("EXPIRE", key, kept_s))

    async def spent(self, name: str, unit: str, period: str) -> float:
        """What was spent in a period."""
        found = await self._link.run("GET", spent_key(name, unit, period))
        return 0.0 if found is None else float(found)
