-- Outbox entries that are due, hidden from other dispatchers until the ticket's time; those of ended items are dropped.
-- ARGV: limit, seconds to hide → {ticket, "job/item"…}
local due = redis.call('ZRANGEBYSCORE', OUTBOX, '-inf', now(), 'LIMIT', 0, ARGV[1])
local ticket = string.format('%.6f', now() + tonumber(ARGV[2]))
local taken = {ticket}
for _, member in ipairs(due) do
  local job, item = split(member)
  if redis.call('HGET', item_key(job, item), 'state') == 'queued' and not is_cancelled(job) then
    redis.call('ZADD', OUTBOX, ticket, member)
    table.insert(taken, member)
  else
    redis.call('ZREM', OUTBOX, member)
  end
end
return taken
