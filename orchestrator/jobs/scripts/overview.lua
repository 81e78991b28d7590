-- What a deployment waits for and runs, from its active jobs alone: no item is looked at.
-- → {time, outbox length, seconds that its oldest entry is overdue, published and not claimed, workers, jobs, failures}
local time, workers, jobs = now(), {}, {}
local oldest = redis.call('ZRANGE', OUTBOX, 0, 0, 'WITHSCORES')
local overdue = oldest[2] and math.max(0, time - tonumber(oldest[2])) or 0
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', WORKERS, time, '+inf')) do
  local told = redis.call('GET', worker_key(worker))
  if told then table.insert(workers, told) end
end
for _, job in ipairs(redis.call('SMEMBERS', ACTIVE)) do
  local found = redis.call('HMGET', job_key(job), 'kind', 'final', 'n:queued', 'n:running')
  if found[1] then table.insert(jobs, {job, found[1], found[2], found[3], found[4]}) end
end
return {tostring(time), redis.call('ZCARD', OUTBOX), tostring(overdue), redis.call('ZCARD', PUBLISHED),
  workers, jobs, redis.call('LRANGE', FAILURES, 0, -1)}
