#!lua flags=no-writes
-- Reads entries in the two strings that a client unpacks fastest.
-- KEYS: stream. ARGV: ids
-- Returns JSON: [id, the header's fields as HEADER names them ('' for one that is missing), bytes of the body hash, bytes
--         of the records] for each entry that exists; and hashes and records, one behind the other
local HEADER = {'version', 'application', 'retention_class', 'batch', 'part', 'received_at', 'event_from', 'event_to',
  'count', 'sequence', 'traceparent'}
local headers, payload = {}, {}
for _, id in ipairs(ARGV) do
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry then
    local fields = {}
    for i = 1, #entry[2], 2 do
      fields[entry[2][i]] = entry[2][i + 1]
    end
    local header, body_hash, records = {entry[1]}, fields.body_hash or '', fields.records or ''
    for _, name in ipairs(HEADER) do
      header[#header + 1] = fields[name] or ''
    end
    header[#header + 1] = #body_hash
    header[#header + 1] = #records
    headers[#headers + 1] = header
    payload[#payload + 1] = body_hash
    payload[#payload + 1] = records
  end
end
return {#headers > 0 and cjson.encode(headers) or '[]', table.concat(payload)}
