-- Put before every transition. KEYS[1] is the prefix of all keys: one Redis, no cluster. Redis TIME is the only clock.
local prefix = KEYS[1]
local OUTBOX = prefix .. 'outbox'       -- zset: "job/item" → when it may be published
local PUBLISHED = prefix .. 'published' -- zset: "job/item" → when it was published; gone once claimed
local LEASES = prefix .. 'leases'       -- zset: "job/item" → when the claim lapses
local ACTIVE = prefix .. 'active'       -- set: jobs that have not ended
local WORKERS = prefix .. 'workers'     -- zset: worker → when its last sign of life is too old
local FAILURES = prefix .. 'failures'   -- list: the last items that failed, newest first, JSON
local FAILURES_KEPT = 50
local EVENTS_EXPIRE = 86400             -- a finished job's events; its snapshot tells all that matters

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function job_key(job) return prefix .. 'job:' .. job end
local function item_key(job, item) return prefix .. 'item:' .. job .. ':' .. item end
local function worker_key(worker) return prefix .. 'worker:' .. worker end
local function member_of(job, item) return job .. '/' .. item end
local function split(member) return string.match(member, '^([^/]*)/(.*)$') end

-- An event of an item, or of the job itself (item '').
local function event(job, item, state, detail, stage, seconds)
  local key = job_key(job)
  redis.call('XADD', key .. ':events', 'MAXLEN', '~', redis.call('HGET', key, 'events_kept'), '*',
    'item', item, 'state', state, 'detail', detail or '', 'stage', stage or '', 'seconds', seconds or '')
end

local function set_job_state(job, state)
  redis.call('HSET', job_key(job), 'state', state)
  event(job, '', state)
end

local function is_cancelled(job)
  local state = redis.call('HGET', job_key(job), 'state')
  return state == 'cancelling' or state == 'cancelled'
end

-- Moves an item and the job's counters with it.
local function move(job, item, from, to)
  redis.call('HSET', item_key(job, item), 'state', to)
  redis.call('HINCRBY', job_key(job), 'n:' .. from, -1)
  redis.call('HINCRBY', job_key(job), 'n:' .. to, 1)
end

-- The fence: whether this claim still holds the item. Every write of a worker asks it first. A fence is the epoch and
-- the claim's token: a restart of Redis that lost its last second may give the same epoch twice.
local function holds(job, item, fence)
  local held = redis.call('HMGET', item_key(job, item), 'state', 'epoch', 'token')
  return held[1] == 'running' and fence == held[2] .. '.' .. held[3]
end

-- What is known of a claim goes with it.
local function let_go(job, item)
  redis.call('ZREM', LEASES, member_of(job, item))
  redis.call('HDEL', item_key(job, item), 'token', 'told')
end

local function finish(job, state)
  redis.call('HSET', job_key(job), 'finished', now())
  redis.call('SREM', ACTIVE, job)
  set_job_state(job, state)
  redis.call('EXPIRE', job_key(job) .. ':events', EVENTS_EXPIRE)
end

-- After an item ended: the last one finishes the job, the last but the final item sends that one on its way.
local function close_if_over(job)
  local found = redis.call('HMGET', job_key(job), 'state', 'final', 'n:queued', 'n:running')
  local queued, running = tonumber(found[3]), tonumber(found[4])
  if running > 0 then return end
  if found[1] == 'cancelling' then
    finish(job, 'cancelled')
  elseif queued == 0 then
    finish(job, 'done')
  elseif queued == 1 and found[2] ~= '' then
    redis.call('ZADD', OUTBOX, now(), member_of(job, found[2]))
  end
end

-- Ends a running item for good: done, failed or cancelled.
local function end_item(job, item, state, detail)
  let_go(job, item)
  move(job, item, 'running', state)
  event(job, item, state, detail)
  if state == 'failed' and redis.call('HGET', job_key(job), 'final') == item then
    redis.call('HSET', job_key(job), 'error', item .. ': ' .. detail)
  end
  close_if_over(job)
end

-- Gives a running item back to the queue; in a job that is being cancelled it ends instead.
local function requeue(job, item, delay, detail)
  if is_cancelled(job) then return end_item(job, item, 'cancelled', detail) end
  let_go(job, item)
  move(job, item, 'running', 'queued')
  redis.call('ZADD', OUTBOX, now() + delay, member_of(job, item))
  event(job, item, 'requeued', detail)
end

local function fail_item(job, item, reason)
  redis.call('HSET', item_key(job, item), 'outcome', 'failed', 'reason', reason)
  redis.call('LPUSH', FAILURES, cjson.encode({job = job, item = item, reason = reason, time = now()}))
  redis.call('LTRIM', FAILURES, 0, FAILURES_KEPT - 1)
  end_item(job, item, 'failed', reason)
end

-- A try that died or broke for unknown reasons: another one, or poison after the last; whether it was that.
local function count_attempt(job, item, max_attempts, delay, reason)
  local attempts = redis.call('HINCRBY', item_key(job, item), 'attempts', 1)
  if is_cancelled(job) or attempts < max_attempts then
    requeue(job, item, delay, reason)
    return false
  end
  fail_item(job, item, 'poison: ' .. attempts .. ' attempts, the last: ' .. reason)
  return true
end

