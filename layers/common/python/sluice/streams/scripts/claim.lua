#!lua flags=allow-oom
-- Claims entries and returns their headers; the records stay here.
-- KEYS: stream. ARGV: group, consumer, min idle (ms), max records, max bytes of lines
-- Returns JSON: [id, application ('' if unreadable), count, bytes, deliveries with the next, batch ('' if unreadable)] per
--         entry; then the reclaimed and the vanished count
local PAGE = 16
local BATCH = '^' .. string.rep('%x', 32) .. '$'
local group, consumer = ARGV[1], ARGV[2]
local max_records, max_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local headers, records, bytes = {}, 0, 0

-- Redis counts a claim as a delivery. It is none until a run is started with the entry: one drain claims far ahead, and its
-- death would bring all of that under suspicion.
local function set_deliveries(ids, deliveries)
  for _, option in ipairs({'RETRYCOUNT', deliveries, 'JUSTID'}) do
    ids[#ids + 1] = option
  end
  redis.call('XCLAIM', KEYS[1], group, consumer, 0, unpack(ids))
end

local function take(entries, is_new)
  local ids = {}
  for _, entry in ipairs(entries) do
    local fields = {}
    for i = 1, #entry[2], 2 do
      fields[entry[2][i]] = entry[2][i + 1]
    end
    local count, size = tonumber(fields.count) or 1, tonumber(fields.line_bytes) or #(fields.records or '')
    local deliveries = is_new and 1 or redis.call('XPENDING', KEYS[1], group, entry[1], entry[1], 1)[1][4]
    if is_new then
      ids[#ids + 1] = entry[1]
    else
      set_deliveries({entry[1]}, deliveries - 1)
    end
    local application = string.match(fields.application or '', '^%d+$') or ''
    local batch = string.match(fields.batch or '', BATCH) or ''
    headers[#headers + 1] = {entry[1], application, count, size, deliveries, batch}
    records, bytes = records + count, bytes + size
  end
  if #ids > 0 then
    set_deliveries(ids, 0)
  end
end

local function is_full(share)
  return records >= max_records * share or bytes >= max_bytes * share
end

-- From 0, so that a group created late (or created again after it was lost) sees what was queued before.
redis.pcall('XGROUP', 'CREATE', KEYS[1], group, '0', 'MKSTREAM')

-- What was left takes at most half: entries that fail again and again must not keep new ones out.
local cursor, vanished = '0-0', 0
repeat
  local claimed = redis.call('XAUTOCLAIM', KEYS[1], group, consumer, ARGV[3], cursor, 'COUNT', PAGE)
  take(claimed[2], false)
  vanished = vanished + #(claimed[3] or {})
  cursor = claimed[1]
until cursor == '0-0' or is_full(0.5)
local reclaimed = #headers

while not is_full(1) do
  local read = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', PAGE, 'STREAMS', KEYS[1], '>')
  if not read then
    break
  end
  take(read[1][2], true)
end
return {#headers > 0 and cjson.encode(headers) or '[]', reclaimed, vanished}
