-- KEYS 1 the clocks; ARGV 1 an epoch. Clocks that are not there need no barrier: they are not trusted
-- until they have been begun anew, by somebody who looked at the database after now.
if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('ZADD', KEYS[1], 'GT', ARGV[1], '__barrier__')
end
return 1
