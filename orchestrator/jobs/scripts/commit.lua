-- An item is done. A job that is being cancelled takes it too: the work is there.
-- ARGV: job, item, fence, outcome, artifact, (outcome, count)… → 1, or 0 if fenced
local job, item = ARGV[1], ARGV[2]
if not holds(job, item, ARGV[3]) then return 0 end
redis.call('HSET', item_key(job, item), 'outcome', ARGV[4], 'artifact', ARGV[5])
for i = 6, #ARGV, 2 do redis.call('HINCRBY', job_key(job), 'o:' .. ARGV[i], ARGV[i + 1]) end
end_item(job, item, 'done', ARGV[4])
return 1
