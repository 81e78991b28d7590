-- A new job with its items and their outbox entries, or the job that this request made before.
-- ARGV: job, request, digest of the request, kind, final item or '', events kept, plan, spec, trace or '', item…
-- → {job, digest}
local job, request, digest, final = ARGV[1], ARGV[2], ARGV[3], ARGV[5]
local first = 10
local known = redis.call('HGET', prefix .. 'requests', request)
if known then return {known, redis.call('HGET', job_key(known), 'digest')} end

local created, count = now(), #ARGV - first + 1
local total = count + (final ~= '' and 1 or 0)
redis.call('HSET', prefix .. 'requests', request, job)
redis.call('ZADD', prefix .. 'jobs', created, job)
redis.call('SADD', ACTIVE, job)
redis.call('SET', job_key(job) .. ':plan', ARGV[7])
redis.call('SET', job_key(job) .. ':spec', ARGV[8])
redis.call('HSET', job_key(job), 'kind', ARGV[4], 'request', request, 'digest', digest, 'final', final,
  'state', 'queued', 'created', created, 'total', total, 'events_kept', ARGV[6],
  'n:queued', total, 'n:running', 0, 'n:done', 0, 'n:failed', 0, 'n:cancelled', 0)
if ARGV[9] ~= '' then redis.call('HSET', job_key(job), 'trace', ARGV[9]) end
event(job, '', 'queued')
for i = first, #ARGV do
  redis.call('HSET', item_key(job, ARGV[i]), 'state', 'queued')
  redis.call('RPUSH', job_key(job) .. ':items', ARGV[i])
  -- a microsecond apart, so that they are published in this order
  redis.call('ZADD', OUTBOX, created - (#ARGV - i) / 1000000, member_of(job, ARGV[i]))
end
if final ~= '' then redis.call('HSET', item_key(job, final), 'state', 'queued') end
return {job, digest}
