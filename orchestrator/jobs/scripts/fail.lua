-- An item broke. ARGV: job, item, fence, reason, max attempts (0: no other try), seconds until it
-- → 1, 2 if it is given up as poison, or 0 if fenced
local job, item, max_attempts = ARGV[1], ARGV[2], tonumber(ARGV[5])
if not holds(job, item, ARGV[3]) then return 0 end
if max_attempts == 0 then
  fail_item(job, item, ARGV[4])
else
  return count_attempt(job, item, max_attempts, tonumber(ARGV[6]), ARGV[4]) and 2 or 1
end
return 1
