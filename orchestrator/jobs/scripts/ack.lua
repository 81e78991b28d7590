-- The entries of a ticket are published. One that was claimed and given back meanwhile has another time, and stays.
-- ARGV: ticket, "job/item"… → how many
local ticket, count = tonumber(ARGV[1]), 0
for i = 2, #ARGV do
  local due = redis.call('ZSCORE', OUTBOX, ARGV[i])
  if due and tonumber(due) == ticket then
    redis.call('ZREM', OUTBOX, ARGV[i])
    redis.call('ZADD', PUBLISHED, now(), ARGV[i])
    count = count + 1
  end
end
return count
