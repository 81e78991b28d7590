-- A worker takes an item: epoch + 1 and a lease. A lapsed lease is left to the sweeper, which counts the attempt.
-- ARGV: job, item, lease seconds, token of this claim → {epoch, attempts, waits} or a reason to leave it alone
local job, item, lapse = ARGV[1], ARGV[2], now() + tonumber(ARGV[3])
local found = redis.call('HMGET', item_key(job, item), 'state', 'attempts', 'waits', 'epoch', 'token')
local told = redis.call('HMGET', job_key(job), 'state', 'final', 'n:queued', 'n:running')
if not found[1] or not told[1] then return 'unknown' end
if found[1] == 'running' and found[5] == ARGV[4] then -- asked again, since the answer was lost
  redis.call('ZADD', LEASES, lapse, member_of(job, item))
  return {tonumber(found[4]), tonumber(found[2] or 0), tonumber(found[3] or 0)}
end
if found[1] ~= 'queued' then return found[1] end
if told[1] == 'cancelling' or told[1] == 'cancelled' then return 'cancelled' end
if item == told[2] and tonumber(told[3]) + tonumber(told[4]) > 1 then return 'early' end

local epoch = redis.call('HINCRBY', item_key(job, item), 'epoch', 1)
redis.call('HSET', item_key(job, item), 'token', ARGV[4])
redis.call('ZREM', OUTBOX, member_of(job, item))
redis.call('ZREM', PUBLISHED, member_of(job, item))
redis.call('ZADD', LEASES, lapse, member_of(job, item))
move(job, item, 'queued', 'running')
if told[1] == 'queued' then
  redis.call('HSET', job_key(job), 'started', now())
  set_job_state(job, 'running')
end
event(job, item, 'running')
return {epoch, tonumber(found[2] or 0), tonumber(found[3] or 0)}
