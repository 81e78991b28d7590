-- Tells the watchers that a stage is finished. ARGV: job, item, epoch, stage, seconds → 1, or 0 if fenced
local job, item = ARGV[1], ARGV[2]
if not holds(job, item, ARGV[3]) then return 0 end
event(job, item, 'stage', '', ARGV[4], ARGV[5])
return 1
