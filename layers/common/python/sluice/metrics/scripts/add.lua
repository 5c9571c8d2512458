#!lua flags=allow-oom
-- Adds to counts. KEYS: hash. ARGV: field and number, one after the other
for i = 1, #ARGV, 2 do
  redis.call('HINCRBYFLOAT', KEYS[1], ARGV[i], ARGV[i + 1])
end
