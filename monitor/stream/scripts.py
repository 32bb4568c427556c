"""What has to happen in one step on the server. Each script touches the keys of one partition only."""

from __future__ import annotations

from monitor.stream.connection import Script
from monitor.stream.keys import ENTRY_FORMAT, MAX_SEQ

# XADD, keeping the count within a millisecond small enough for Entry.number. It grows beyond only while the server's clock stands
# behind the stream's last entry, as after a jump of the clock; then the next millisecond is begun by hand.
_APPEND = f"""
local function append(stream, data, first)
  local fields = {{'v', '{ENTRY_FORMAT}', 'd', data}}
  if first and first ~= '' then
    fields[5], fields[6] = 'first', first
  end
  local id = redis.call('XADD', stream, '*', unpack(fields))
  if #id >= 18 then
    local ms, seq = string.match(id, '^(%d+)-(%d+)$')
    if tonumber(seq) > {MAX_SEQ} then
      redis.call('XDEL', stream, id)
      redis.call('XADD', stream, string.format('%.0f-0', tonumber(ms) + 1), unpack(fields))
    end
  end
end
"""

_BURY = f"""
local function field_of(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
  return ''
end

local function data_of(fields)
  return field_of(fields, 'd')
end

local function bury(stream, dead, group, id, deliveries, reason)
  local found = redis.call('XRANGE', stream, id, id)[1]
  if found then
    local first = field_of(found[2], 'first')
    redis.call('XADD', dead, '*', 'v', '{ENTRY_FORMAT}', 'd', data_of(found[2]),
      'id', first ~= '' and first or id, 'deliveries', deliveries, 'error', reason)
  end
  redis.call('XACK', stream, group, id)
  redis.call('XDEL', stream, id)
end
"""

# KEYS mentions, seen today, yesterday, tomorrow, moves; cursors and leases (partition 0 only)
# ARGV seconds to keep today's set, cursor given (0 or 1), source, cursor, owner ('': whoever), moves known (-1: nobody counts),
# then key and data of each item
# Answers {one character an item: 1 new, 0 seen; moves of this source}. Nothing is done and it answers LOST where the source is
# another's by now, and -1 moves where fewer are known here than the source counted. An item that was seen yesterday is remembered
# today as well, so that a post that stays in a feed for weeks stays known. Appending goes before remembering: a step cut short
# repeats, and never skips.
PUBLISH = Script(
    _APPEND
    + """
if ARGV[2] == '1' and ARGV[5] ~= '' then
  local owner = string.match(redis.call('HGET', KEYS[7], ARGV[3]) or '', '^%d+ (%S+)')
  if owner and owner ~= '-' and owner ~= ARGV[5] then return {'LOST', 0} end
end
local count = (#ARGV - 6) / 2
local answer = {}
local known, moves = tonumber(ARGV[6]), 0
if known >= 0 then
  moves = tonumber(redis.call('HGET', KEYS[5], ARGV[3]) or '0') + 1
  if moves <= known then return {'', -1} end
end
if count > 0 then
  local keys, batch = {}, {}
  for i = 1, count do keys[i] = ARGV[5 + 2 * i] end
  local today = redis.call('SMISMEMBER', KEYS[2], unpack(keys))
  local yesterday = redis.call('SMISMEMBER', KEYS[3], unpack(keys))
  local tomorrow = redis.call('SMISMEMBER', KEYS[4], unpack(keys))
  for i = 1, count do
    if today[i] + yesterday[i] + tomorrow[i] == 0 and not batch[keys[i]] then
      batch[keys[i]] = true
      append(KEYS[1], ARGV[6 + 2 * i])
      answer[i] = '1'
    else
      answer[i] = '0'
    end
  end
  redis.call('SADD', KEYS[2], unpack(keys))
  redis.call('EXPIRE', KEYS[2], ARGV[1])
end
if ARGV[2] == '1' then
  redis.call('HSET', KEYS[6], ARGV[3], ARGV[4])
end
if known >= 0 then
  redis.call('HSET', KEYS[5], ARGV[3], string.format('%.0f', moves))
end
return {table.concat(answer), moves}
"""
)

# KEYS mentions, moves; ARGV source, moves known
# Answers the ids of the oldest and of the newest entry that is not done, nothing where all are; or LOST where fewer moves are
# known here than the source counted.
HORIZON = Script(
    """
if tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0') < tonumber(ARGV[2]) then return {'LOST'} end
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not oldest then return {} end
return {oldest[1], redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]}
"""
)

# KEYS mentions, dead
# ARGV group, consumer, idle ms, how many, suspect after, abandoned limit, only own (0 or 1), reason of death, then ids to leave
# Takes pending entries over, the oldest first, and answers {pages left (0 or 1), {ids set aside...}, {id, deliveries, data,
# first}...}. Where only own ones are asked for, those that were handed out alone before are left until they have rested. Entries
# whose payload is gone are acknowledged; 6.2 would keep them on the pending list for ever. (XAUTOCLAIM would not tell the
# deliveries.)
CLAIM = Script(
    _BURY
    + """
local stream, dead, group, consumer, idle = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local wanted, suspect_after, limit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local leave = {}
for i = 9, #ARGV do leave[ARGV[i]] = true end

local own = ARGV[7] == '1'
local query = {'XPENDING', stream, group, 'IDLE', idle, '-', '+', wanted + #ARGV - 8}
if own then -- past those that rest: no worker dies a thousand times while one of them does
  query[8] = query[8] + 1000
  query[9] = consumer
end

local answer, buried, more = {0, {}}, {}, 0
for _, pending in ipairs(redis.call(unpack(query))) do
  local id, deliveries = pending[1], pending[4] + 1
  local resting = own and pending[4] > suspect_after
  if not leave[id] and not resting then
    more = 1
    local suspect = deliveries > suspect_after
    if suspect and #answer > 2 then break end
    local entry = redis.call('XCLAIM', stream, group, consumer, 0, id)[1]
    if type(entry) ~= 'table' then
      redis.call('XACK', stream, group, id)
    elseif deliveries > limit then
      bury(stream, dead, group, id, pending[4], ARGV[8])
      buried[#buried + 1] = id
    else
      answer[#answer + 1] = {id, deliveries, data_of(entry[2]), field_of(entry[2], 'first')}
      if suspect or #answer > wanted + 1 then break end
    end
  end
end
answer[1], answer[2] = more, buried
return answer
"""
)

# KEYS mentions, dead
# ARGV group, consumer, deliveries at most, then id and error of each
# For entries that are still ours: those that have failed too often are set aside, the others rest from now on. Answers the ids
# that were set aside.
FAIL = Script(
    _BURY
    + """
local stream, dead, group, consumer, limit = KEYS[1], KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3])
local buried = {}
for i = 4, #ARGV, 2 do
  local id = ARGV[i]
  local pending = redis.call('XPENDING', stream, group, id, id, 1)[1]
  if pending and pending[2] == consumer then
    if pending[4] >= limit then
      bury(stream, dead, group, id, pending[4], ARGV[i + 1])
      buried[#buried + 1] = id
    else
      redis.call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', 0, 'JUSTID')
    end
  end
end
return buried
"""
)

# KEYS mentions
# ARGV group, consumer, idle ms, then id and deliveries of each (-1: as they are)
# Sets how long entries that are still ours have rested, and how often they count as delivered.
REST = Script(
    """
local stream, group, consumer, idle = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
for i = 4, #ARGV, 2 do
  local id = ARGV[i]
  local pending = redis.call('XPENDING', stream, group, id, id, 1)[1]
  if pending and pending[2] == consumer then
    local deliveries = tonumber(ARGV[i + 1])
    if deliveries < 0 then deliveries = pending[4] end
    redis.call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', idle, 'RETRYCOUNT', deliveries, 'JUSTID')
  end
end
"""
)

# KEYS dead, mentions; ARGV ids of dead entries
# Puts them back at the end of the stream, with the id under which each came first, and answers how many there were.
REPLAY = Script(
    _APPEND
    + _BURY
    + """
local count = 0
for i = 1, #ARGV do
  local found = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if found then
    append(KEYS[2], data_of(found[2]), field_of(found[2], 'id'))
    redis.call('XDEL', KEYS[1], ARGV[i])
    count = count + 1
  end
end
return count
"""
)

# KEYS processes, the figures of one; ARGV its name, its figures, seconds to keep them
# The server's own clock decides who is gone: a machine whose clock is ahead must not drop the others.
SHARE = Script(
    """
local now, kept = tonumber(redis.call('TIME')[1]), tonumber(ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'EX', kept)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - kept - 1)
redis.call('EXPIRE', KEYS[1], kept)
"""
)
