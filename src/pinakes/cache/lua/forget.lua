-- KEYS 1 the clocks; ARGV the members that say when their term was last to be forgotten: now.
-- Clocks that are not there have forgotten everything already.
if redis.call('EXISTS', KEYS[1]) == 1 then
    local time = redis.call('TIME')
    local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
    for _, member in ipairs(ARGV) do
        redis.call('ZADD', KEYS[1], now, member)
    end
end
return 1
