-- Tells the watchers once that a stage is finished, also if asked again because the answer was lost.
-- ARGV: job, item, fence, stage, seconds → 1, or 0 if fenced
local job, item = ARGV[1], ARGV[2]
if not holds(job, item, ARGV[3]) then return 0 end
local told = redis.call('HGET', item_key(job, item), 'told') or ';'
local report = ARGV[4] .. '=' .. ARGV[5] .. ';'
if not string.find(told, ';' .. report, 1, true) then
  redis.call('HSET', item_key(job, item), 'told', told .. report)
  event(job, item, 'stage', '', ARGV[4], ARGV[5])
end
return 1
