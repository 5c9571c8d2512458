-- Admits a request and queues its batch, in one round trip. The functions admit and submit, put before this text, are
-- the scripts of these names.
-- KEYS: that of admit, then those of submit. ARGV: the nine of admit, then those of submit
-- Returns what admit returns, a space and, if the request is admitted, what submit returns: one text, which clients read
-- faster than a list
local balances, is_admitted = admit({KEYS[1]}, {unpack(ARGV, 1, 9)})
if not is_admitted then
  return balances .. ' '
end
return balances .. ' ' .. submit({unpack(KEYS, 2)}, {unpack(ARGV, 10)})
