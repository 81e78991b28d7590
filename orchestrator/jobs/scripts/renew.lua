-- Keeps the leases of one process alive. ARGV: lease seconds, (job, item, fence)… → held, cancelling or fenced of each
local lapse, answers = now() + tonumber(ARGV[1]), {}
for i = 2, #ARGV, 3 do
  local job, item = ARGV[i], ARGV[i + 1]
  if not holds(job, item, ARGV[i + 2]) then
    table.insert(answers, 'fenced')
  else
    redis.call('ZADD', LEASES, lapse, member_of(job, item))
    table.insert(answers, is_cancelled(job) and 'cancelling' or 'held')
  end
end
return answers
