#!lua flags=no-writes
-- What one shard is like, without its records. Of everything that may be long only the beginning is read.
-- KEYS: stream, accepted counters, backlog bytes. ARGV: group, most pending entries, most consumers
-- Returns now (ms), entries, {pending, lag or nil} or nil without the group, {{consumer, pending, idle (ms)}...},
--         {{id, consumer, idle (ms), deliveries}...} oldest first, accepted counters, backlog bytes
local function facts_of(reply)
  local facts = {}
  for i = 1, #reply, 2 do
    facts[reply[i]] = reply[i + 1]
  end
  return facts
end

local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
local group, consumers, pending = false, {}, {}
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, reply in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local facts = facts_of(reply)
    if facts.name == ARGV[1] then
      group = {facts.pending, facts.lag or false}
    end
  end
end
if group then
  for position, reply in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    if position <= tonumber(ARGV[3]) then
      local facts = facts_of(reply)
      consumers[position] = {facts.name, facts.pending, facts.idle}
    end
  end
  if tonumber(ARGV[2]) > 0 then
    pending = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[2])
  end
end
return {now, redis.call('XLEN', KEYS[1]), group, consumers, pending,
  redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])}
