-- Ends all queued items at once, by the job's state: their own is not touched (a million of them costs nothing).
-- Running ones end as they notice. ARGV: job → the job's state, or nil if there is no such job
local job = ARGV[1]
local found = redis.call('HMGET', job_key(job), 'state', 'n:queued', 'n:running')
if not found[1] then return nil end
if found[1] ~= 'queued' and found[1] ~= 'running' then return found[1] end
redis.call('HSET', job_key(job), 'n:queued', 0)
redis.call('HINCRBY', job_key(job), 'n:cancelled', found[2])
if tonumber(found[3]) > 0 then
  set_job_state(job, 'cancelling')
  return 'cancelling'
end
finish(job, 'cancelled')
return 'cancelled'
