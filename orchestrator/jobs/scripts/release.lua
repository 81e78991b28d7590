-- A worker gives an item back: what it needs is down, it drains, or the job is cancelled. No attempt is counted.
-- ARGV: job, item, fence, seconds until the next try, 1 to count a wait, detail → 1, or 0 if fenced
local job, item = ARGV[1], ARGV[2]
if not holds(job, item, ARGV[3]) then return 0 end
if ARGV[5] == '1' then redis.call('HINCRBY', item_key(job, item), 'waits', 1) end
requeue(job, item, tonumber(ARGV[4]), ARGV[6])
return 1
