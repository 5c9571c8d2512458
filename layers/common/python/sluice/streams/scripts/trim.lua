#!lua flags=allow-oom
-- Trims below everything that is not acknowledged: deleted entries leave holes that still take memory.
-- KEYS: stream. ARGV: group
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local limit
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local facts = {}
  for i = 1, #group, 2 do
    facts[group[i]] = group[i + 1]
  end
  if facts.name == ARGV[1] then
    limit = facts['last-delivered-id']
  end
end
if not limit then
  return 0
end
local lowest_pending = redis.call('XPENDING', KEYS[1], ARGV[1])[2]
return redis.call('XTRIM', KEYS[1], 'MINID', lowest_pending or limit)
