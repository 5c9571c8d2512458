#!lua
-- Queues one batch, all parts or nothing. Without allow-oom the server refuses it when memory is full, before any write.
-- KEYS: stream, accepted counters, backlog bytes, fingerprint of an idempotent batch, a drain's mark, the last wake
-- ARGV: application, total limit (bytes), share limit (bytes), body hash, seconds to remember it (0: not idempotent),
--       milliseconds between wakes (0: none), then the fields common to all parts (version, batch, received_at,
--       retention_class), the request's traceparent or '', then per part: count, lowest and highest event time, bytes of
--       the lines, records
local FIRST_PART = 12
local application, body_hash, remember_seconds = ARGV[1], ARGV[4], tonumber(ARGV[5])
local trace = ARGV[11] ~= '' and {'traceparent', ARGV[11]} or {} -- few requests have one, and a field takes room
if remember_seconds > 0 then
  local seen = redis.call('GET', KEYS[4])
  if seen then
    return seen == body_hash and 'replayed' or 'conflict'
  end
end

local records, bytes = 0, 0
for i = FIRST_PART, #ARGV, 5 do
  records = records + tonumber(ARGV[i])
  bytes = bytes + #ARGV[i + 4] + 150 -- what an entry takes besides its records; acknowledge.lua gives it back
end
if bytes > tonumber(ARGV[3]) then
  return 'too_large'
end
local backlog = redis.call('HMGET', KEYS[3], 'total', application)
local total, share = tonumber(backlog[1] or 0) + bytes, tonumber(backlog[2] or 0) + bytes
if total > tonumber(ARGV[2]) then
  return 'full'
end
if share > tonumber(ARGV[3]) then
  return 'share'
end

local sequence = redis.call('HINCRBY', KEYS[2], application, records) - records + 1
for i = FIRST_PART, #ARGV, 5 do
  redis.call('XADD', KEYS[1], '*', 'version', ARGV[7], 'application', application, 'retention_class', ARGV[10],
    'batch', ARGV[8], 'part', (i - FIRST_PART) / 5, 'received_at', ARGV[9], 'body_hash', body_hash,
    'count', ARGV[i], 'sequence', sequence, 'event_from', ARGV[i + 1], 'event_to', ARGV[i + 2],
    'line_bytes', ARGV[i + 3], 'records', ARGV[i + 4], unpack(trace))
  sequence = sequence + tonumber(ARGV[i])
end
redis.call('HSET', KEYS[3], 'total', total, application, share)
if remember_seconds > 0 then
  redis.call('SET', KEYS[4], body_hash, 'EX', remember_seconds)
end
local wake_ms = tonumber(ARGV[6])
if wake_ms > 0 and redis.call('EXISTS', KEYS[5]) == 0 and redis.call('SET', KEYS[6], 1, 'NX', 'PX', wake_ms) then
  return 'unattended'
end
return 'queued'
