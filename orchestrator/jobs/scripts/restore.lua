-- A job that ended elsewhere, as a finished one. ARGV: job, request, digest of the request, kind, state, created,
-- started, finished, plan, spec, items, outcomes, (item, state, outcome, artifact, reason)…, (outcome, count)…
-- → 1, or 0 if a job of that id is here (nothing is changed then)
local job, request, items, outcomes = ARGV[1], ARGV[2], tonumber(ARGV[11]), tonumber(ARGV[12])
local first, key = 13, job_key(job)
if redis.call('HGET', key, 'state') then return 0 end
redis.call('HSET', key, 'kind', ARGV[4], 'request', request, 'digest', ARGV[3], 'final', '', 'state', ARGV[5],
  'created', ARGV[6], 'started', ARGV[7], 'finished', ARGV[8], 'total', items, 'events_kept', 100, 'imported', now(),
  'n:queued', 0, 'n:running', 0, 'n:done', 0, 'n:failed', 0, 'n:cancelled', 0)
redis.call('SET', key .. ':plan', ARGV[9])
redis.call('SET', key .. ':spec', ARGV[10])
redis.call('ZADD', prefix .. 'jobs', ARGV[6], job)
if not redis.call('HGET', prefix .. 'requests', request) then redis.call('HSET', prefix .. 'requests', request, job) end
for i = first, first + 5 * items - 1, 5 do
  redis.call('HSET', item_key(job, ARGV[i]), 'state', ARGV[i + 1], 'outcome', ARGV[i + 2], 'artifact', ARGV[i + 3],
    'reason', ARGV[i + 4])
  redis.call('RPUSH', key .. ':items', ARGV[i])
  redis.call('HINCRBY', key, 'n:' .. ARGV[i + 1], 1)
end
for i = first + 5 * items, first + 5 * items + 2 * outcomes - 1, 2 do
  redis.call('HSET', key, 'o:' .. ARGV[i], ARGV[i + 1])
end
event(job, '', ARGV[5])
redis.call('EXPIRE', key .. ':events', EVENTS_EXPIRE)
return 1
