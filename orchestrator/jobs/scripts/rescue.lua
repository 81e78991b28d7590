-- Puts items back into the outbox whose message was lost: published a while ago, still queued, and the queue is empty.
-- ARGV: key of the queue's list, seconds, limit → how many
if redis.call('LLEN', ARGV[1]) > 0 then return 0 end
local old = redis.call('ZRANGEBYSCORE', PUBLISHED, '-inf', now() - tonumber(ARGV[2]), 'LIMIT', 0, ARGV[3])
for _, member in ipairs(old) do
  redis.call('ZREM', PUBLISHED, member)
  redis.call('ZADD', OUTBOX, 'NX', now(), member)
end
return #old
