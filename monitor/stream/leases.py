"""Who does what only one process may do at a time: leases in Redis, which run out by the server's clock.

One script holds all that a process wants. It renews what is its own, takes what is free, and where others have more than their
share it asks them for some; who is asked gives back when it has finished what it has in hand. Nobody keeps a list of processes:
who holds or asks for something is one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.stream.connection import Link, Script
from monitor.stream.keys import LEASES

LEASE_MS = 10_000
# What nobody holds is left for so long to who has asked for it, or to those that hold less than their share. Then anyone has it.
GRACE_MS = 3_000
_KEPT_S = 86_400  # what is known of leases that nobody asks for any more
_PAGE = 2_000  # names in one script call

# KEYS leases: name to `until owner asked-until asking`, with - where there is nobody
# ARGV owner, lease ms, grace ms, seconds to keep, names
# Answers of each name {whose (0 another's, 1 ours, 2 ours and asked for), ms for which it had been nobody's (-1: never held)}.
# A lease that ends later than a fresh one would was given by a clock that has since been set back, and ends as a fresh one.
HOLD = Script(
    """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local me, lasts, grace = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local rows = redis.call('HMGET', KEYS[1], unpack(ARGV, 5))
local leases, count, processes = {}, {[me] = 0}, 1

local function known(process)
  if not count[process] then count[process], processes = 0, processes + 1 end
end

local function note(lease)
  redis.call('HSET', KEYS[1], lease.name, string.format('%.0f %s %.0f %s',
    lease.ends, lease.owner, lease.asked or 0, lease.asking or '-'))
end

for i, row in ipairs(rows) do
  local lease = {name = ARGV[i + 4], ends = 0, owner = '-'}
  leases[i] = lease
  if row then
    local ends, owner, asked, asking = string.match(row, '^(%d+) (%S+) (%d+) (%S+)$')
    lease.was = math.min(tonumber(ends), now + lasts)
    lease.ends, lease.owner = lease.was, owner
    if tonumber(asked) > now and asking ~= owner then
      lease.asked, lease.asking = math.min(tonumber(asked), now + lasts), asking
      known(asking)
    end
    if owner == me then
      lease.mine = true
    elseif owner ~= '-' and lease.ends > now then
      lease.others = true
      known(owner)
    end
    local to = lease.asking or ((lease.mine or lease.others) and owner)
    if to then count[to] = count[to] + 1 end
  end
end

local share = math.ceil(#leases / processes)
for _, lease in ipairs(leases) do
  local idle = lease.was and now - lease.was
  local free = not lease.mine and not lease.others
  if free and (not idle or idle > grace or lease.asking == me or (not lease.asking and count[me] < share)) then
    if lease.asking then count[lease.asking] = count[lease.asking] - 1 end
    count[me] = count[me] + 1
    lease.mine, lease.owner, lease.asked, lease.asking = true, me, nil, nil
  end
  if lease.mine then
    lease.ends = now + lasts
    note(lease)
  end
end

local theirs = {}
for _, lease in ipairs(leases) do
  if lease.others and lease.asking == me then
    lease.asked = now + lasts
    note(lease)
  elseif lease.others and not lease.asking then
    theirs[lease.owner] = theirs[lease.owner] or {}
    table.insert(theirs[lease.owner], lease)
  end
end
while true do
  local richest
  for process in pairs(theirs) do
    if not richest or count[process] > count[richest] or (count[process] == count[richest] and process < richest) then
      richest = process
    end
  end
  if not richest or count[richest] - count[me] < 2 then break end
  local lease = table.remove(theirs[richest])
  if not next(theirs[richest]) then theirs[richest] = nil end
  lease.asked, lease.asking = now + lasts, me
  note(lease)
  count[richest], count[me] = count[richest] - 1, count[me] + 1
end
redis.call('EXPIRE', KEYS[1], ARGV[4])

local answer = {}
for i, lease in ipairs(leases) do
  answer[i] = {lease.mine and (lease.asking and 2 or 1) or 0, lease.was and math.max(0, now - lease.was) or -1}
end
return answer
"""
)

# KEYS leases; ARGV owner, names. What is not ours stays as it is; who asks for one of them still does.
RELEASE = Script(
    """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 2, #ARGV do
  local row = redis.call('HGET', KEYS[1], ARGV[i])
  local owner, rest = string.match(row or '', '^%d+ (%S+) (.*)$')
  if owner == ARGV[1] then
    redis.call('HSET', KEYS[1], ARGV[i], string.format('%.0f - %s', now, rest))
  end
end
"""
)


class Held(msgspec.Struct, frozen=True):
    """How a lease stands: whether it is `ours`, whether another process asks for it, and for how long (seconds) nobody had it
    before, None where nobody ever did."""

    ours: bool
    asked: bool
    idle_s: float | None


class Leases:
    """The leases of one Redis. Raises StreamUnavailable where it is away."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def hold(self, owner: str, names: Sequence[str], *, lease_ms: int = LEASE_MS) -> dict[str, Held]:
        """Renews what is the owner's of these names, takes its share of what is free, and says how each stands.

        `owner` holds no blanks. Two processes must not use one owner at the same time; who comes back as the same one has at once
        what it had.
        """
        found: dict[str, Held] = {}
        for start in range(0, len(names), _PAGE):
            page = names[start : start + _PAGE]
            answer = await self._link.script(HOLD, [LEASES], [owner, lease_ms, GRACE_MS, _KEPT_S, *page])
            for name, (whose, idle) in zip(page, answer, strict=True):
                found[name] = Held(ours=whose > 0, asked=whose == 2, idle_s=None if idle < 0 else idle / 1000)
        return found

    async def release(self, owner: str, names: Sequence[str]) -> None:
        """Gives back what is the owner's of these names, so that another has it at once."""
        if names:
            await self._link.script(RELEASE, [LEASES], [owner, *names])
