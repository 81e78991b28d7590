-- One process at a time does a chore. ARGV: chore, who, milliseconds → 1 if it is theirs until then
local key = prefix .. 'elected:' .. ARGV[1]
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[2] then return 0 end
redis.call('SET', key, ARGV[2], 'PX', ARGV[3])
return 1
