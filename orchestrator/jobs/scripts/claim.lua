-- A worker takes an item: epoch + 1 and a lease. A lapsed lease is left to the sweeper, which counts the attempt.
-- ARGV: job, item, lease seconds → {epoch, attempts, waits} or a reason to leave it alone
local job, item = ARGV[1], ARGV[2]
local found = redis.call('HMGET', item_key(job, item), 'state', 'attempts', 'waits')
local told = redis.call('HMGET', job_key(job), 'state', 'final', 'n:queued', 'n:running')
if not found[1] or not told[1] then return 'unknown' end
if found[1] ~= 'queued' then return found[1] end
if told[1] == 'cancelling' or told[1] == 'cancelled' then return 'cancelled' end
if item == told[2] and tonumber(told[3]) + tonumber(told[4]) > 1 then return 'early' end

local epoch = redis.call('HINCRBY', item_key(job, item), 'epoch', 1)
redis.call('ZREM', OUTBOX, member_of(job, item))
redis.call('ZREM', PUBLISHED, member_of(job, item))
redis.call('ZADD', LEASES, now() + tonumber(ARGV[3]), member_of(job, item))
move(job, item, 'queued', 'running')
if told[1] == 'queued' then
  redis.call('HSET', job_key(job), 'started', now())
  set_job_state(job, 'running')
end
event(job, item, 'running')
return {epoch, tonumber(found[2] or 0), tonumber(found[3] or 0)}
