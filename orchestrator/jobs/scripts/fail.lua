-- An item broke. ARGV: job, item, fence, reason, max attempts (0: no other try), seconds until it → 1, or 0 if fenced
local job, item, max_attempts = ARGV[1], ARGV[2], tonumber(ARGV[5])
if not holds(job, item, ARGV[3]) then return 0 end
if max_attempts == 0 then
  fail_item(job, item, ARGV[4])
else
  count_attempt(job, item, max_attempts, tonumber(ARGV[6]), ARGV[4])
end
return 1
