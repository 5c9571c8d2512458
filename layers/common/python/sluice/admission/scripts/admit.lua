#!lua
-- Decides on one request by all policies at once, and charges all of them or none. Without allow-oom: at maxmemory
-- nobody is admitted, as nothing could be queued either. A refusal writes nothing.
-- KEYS: the application's state. ARGV: requests per second, bytes per second, bytes per day, burst (s), bytes of the body,
-- requests and bytes to give back, requests and bytes to charge ahead (see lease.py)
-- Returns for requests, bytes and bytes per day: 1 if violated, remaining, ms until it is not or, if it is not, until
-- the quota is whole, all as if nothing were charged ahead; and how many requests were: ten numbers as text, which
-- clients read faster than lists. And, to intake.lua, if it is admitted
local DAY = 86400
local ROOM = 16 -- times what is charged ahead has to be left: near its limits an application is charged one by one
local request_rate, byte_rate, day_quota = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local burst, size = tonumber(ARGV[4]), tonumber(ARGV[5])
local back, back_bytes = tonumber(ARGV[6]), tonumber(ARGV[7])
local ahead, ahead_bytes = tonumber(ARGV[8]), tonumber(ARGV[9])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local day = math.floor(now / DAY)
local state = redis.call('HMGET', KEYS[1], 'at', 'requests', 'bytes', 'day', 'day_bytes', 'day_requests')

local at = tonumber(state[1] or 0)
if at > now then
  at = 0 -- the clock was set back (a failover): full buckets rather than an hour of refusals
end
local requests = math.min(request_rate * burst, tonumber(state[2] or 0) + (now - at) * request_rate + back)
local bytes = math.min(byte_rate * burst, tonumber(state[3] or 0) + (now - at) * byte_rate + back_bytes)
local is_today = tonumber(state[4]) == day
local day_bytes = is_today and math.max(0, tonumber(state[5]) - back_bytes) or 0
local day_requests = is_today and math.max(0, tonumber(state[6] or 0) - back) or 0

local no_request, no_bytes, no_day = requests < 1, bytes <= 0, day_bytes + size > day_quota
local is_admitted = not (no_request or no_bytes or no_day)
if is_admitted then
  requests, bytes, day_bytes = requests - 1, bytes - size, day_bytes + size
  if requests < ROOM * ahead or bytes < ROOM * ahead_bytes or day_quota - day_bytes < ROOM * ahead_bytes then
    ahead, ahead_bytes = 0, 0
  end
  redis.call('HSET', KEYS[1], 'at', string.format('%.6f', now), 'requests', string.format('%.6f', requests - ahead),
    'bytes', string.format('%.3f', bytes - ahead_bytes), 'day', day, 'day_bytes', day_bytes + ahead_bytes,
    'day_requests', day_requests + 1 + ahead)
  -- Until then the day is over and every debt is paid: a missing state says the same as this one would. Without a debt
  -- the day's first request says so for all of the day.
  if bytes < 0 or tonumber(state[4]) ~= day then
    redis.call('EXPIRE', KEYS[1], 2 * DAY + math.ceil(math.max(0, -bytes) / byte_rate) + burst)
  end
end

return string.format('%d %.0f %.0f %d %.0f %.0f %d %.0f %.0f %.0f',
  no_request and 1 or 0, math.max(0, math.floor(requests)),
  math.ceil((no_request and (1 - requests) / request_rate or burst - requests / request_rate) * 1000),
  no_bytes and 1 or 0, math.max(0, math.floor(bytes)),
  no_bytes and math.floor(-bytes / byte_rate * 1000) + 1 or math.ceil((burst - bytes / byte_rate) * 1000),
  no_day and 1 or 0, math.max(0, day_quota - day_bytes), math.ceil(((day + 1) * DAY - now) * 1000),
  is_admitted and ahead or 0), is_admitted
