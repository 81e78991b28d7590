-- A worker's sign of life, good for some seconds; with 0 it is gone. ARGV: worker, seconds, what it tells of itself
local time, worker, seconds = now(), ARGV[1], tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', WORKERS, '-inf', time)
if seconds == 0 then
  redis.call('ZREM', WORKERS, worker)
  redis.call('DEL', worker_key(worker))
else
  redis.call('ZADD', WORKERS, time + seconds, worker)
  redis.call('SET', worker_key(worker), ARGV[3], 'PX', math.ceil(seconds * 1000))
end
return 1
