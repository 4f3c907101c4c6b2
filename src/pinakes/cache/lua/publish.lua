-- Moves the clocks from one epoch to a later one, all or nothing.
--
-- KEYS  1 the clocks, a sorted set; 2 the name of the incarnation in force
-- ARGV  1 incarnation, 2 from, 3 to, 4 confirmed (ms), 5 floor, 6 how far
--       back to remember what was to be forgotten (ms), 7 window (ms), then pairs of epoch and term
--
-- Returns {1, head} when done, and {0, head} when the clocks stand before `from`: changes would be
-- skipped, so the publisher must begin again from `head`.
--
-- Clocks that are not there at all (a flush, an eviction, a first start) begin with the floor at
-- `to`: everything may have changed up to then. They are not trusted before they are confirmed by a
-- look at the database that began after them, so no publisher that looked earlier can vouch for them.
-- Every number only ever grows, so a publisher that lags behind another does no harm.
local clocks = KEYS[1]
local from, to, confirmed, floor = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local remember = tonumber(ARGV[6])
local known = redis.call('ZMSCORE', clocks, '__head__', '__floor__', '__at__', '__born__')
local head, at, born = tonumber(known[1] or ''), tonumber(known[3] or ''), tonumber(known[4] or '')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not head or not known[2] or not at or not born then
    redis.call('DEL', clocks)
    redis.call('ZADD', clocks, to, '__floor__')
    head, at, born = to, 0, now
elseif head < from then
    return {0, head}
else
    for i = 8, #ARGV, 2 do
        redis.call('ZADD', clocks, 'GT', ARGV[i], ARGV[i + 1])
    end
    if floor > tonumber(known[2]) then
        redis.call('ZREMRANGEBYSCORE', clocks, '-inf', floor)
        redis.call('ZADD', clocks, floor, '__floor__')
    end
    head = math.max(head, to)
    -- Times lie far above every epoch. This may take `__born__` along, which is written again below.
    redis.call('ZREMRANGEBYSCORE', clocks, 1e12, '(' .. string.format('%.0f', math.max(remember, 1e12)))
    if at > now or born > now then
        -- A time in the future comes from a clock that was set back since. What was to be forgotten is older
        -- than these clocks now, and a mark from the future would forget whatever comes until then.
        at, born = 0, now
        redis.call('ZREMRANGEBYSCORE', clocks, '(' .. string.format('%.0f', now), '+inf')
    end
    if confirmed >= born and confirmed <= now then
        if confirmed - at > tonumber(ARGV[7]) then
            -- Nobody could rely on the clocks for a while. Writes somebody waited for may have come and
            -- gone without a barrier, so all of that while is behind one.
            redis.call('ZADD', clocks, 'GT', to, '__barrier__')
        end
        at = math.max(at, confirmed)
    end
end
redis.call('ZADD', clocks, head, '__head__', string.format('%.0f', at), '__at__', string.format('%.0f', born), '__born__')
redis.call('SET', KEYS[2], ARGV[1])
return {1, head}
