#!lua flags=no-writes
-- One page of the queue's sequence ranges, without the records.
-- KEYS: stream. ARGV: exclusive start id or '-', page size
-- Returns {{id, application, sequence, count, batch}...}
local ranges = {}
local start = ARGV[1] == '-' and '-' or '(' .. ARGV[1]
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], start, '+', 'COUNT', ARGV[2])) do
  local fields = {}
  for i = 1, #entry[2], 2 do
    fields[entry[2][i]] = entry[2][i + 1]
  end
  ranges[#ranges + 1] = {entry[1], fields.application or '', fields.sequence or '', fields.count or '', fields.batch or ''}
end
return ranges
