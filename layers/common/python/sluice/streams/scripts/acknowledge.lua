#!lua flags=allow-oom
-- Acknowledges and deletes entries; must work when memory is full, since it is what frees it.
-- KEYS: stream, backlog bytes, counts of acknowledgements. ARGV: group, then id, application ('' if unreadable) and bytes per entry
-- Returns how many entries were still there.
local deleted, total, freed = 0, 0, {}
for i = 2, #ARGV, 3 do
  local id, application, bytes = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]) + 150 -- as counted by submit.lua
  redis.pcall('XACK', KEYS[1], ARGV[1], id)
  if redis.call('XDEL', KEYS[1], id) == 1 then
    deleted = deleted + 1
    if application ~= '' then
      freed[application] = (freed[application] or 0) + bytes
      total = total + bytes
    end
  end
end
for application, bytes in pairs(freed) do
  redis.call('HINCRBY', KEYS[2], application, -bytes)
  redis.call('HINCRBY', KEYS[3], application, 1) -- what waits for news of it looks there
end
redis.call('HINCRBY', KEYS[2], 'total', -total)
if redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2]) -- an empty queue is where a drifted count is put right
end
return deleted
