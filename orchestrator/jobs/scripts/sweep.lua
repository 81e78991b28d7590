-- Takes items back whose lease lapsed: their worker is dead or cut off. ARGV: limit, max attempts
-- → {how many, how many of them were given up}
local poisoned, lapsed = 0, redis.call('ZRANGEBYSCORE', LEASES, '-inf', now(), 'LIMIT', 0, ARGV[1])
for _, member in ipairs(lapsed) do
  local job, item = split(member)
  if count_attempt(job, item, tonumber(ARGV[2]), 0, 'the lease lapsed') then poisoned = poisoned + 1 end
end
return {#lapsed, poisoned}
