-- Takes values off the end of a list as long as they are the expected ones.
-- KEYS[1]: the list. ARGV: the values expected at its end, the last one first. Answers how many it took.
local taken = 0
for _, expected in ipairs(ARGV) do
    if redis.call('LINDEX', KEYS[1], -1) ~= expected then
        break
    end
    redis.call('RPOP', KEYS[1])
    taken = taken + 1
end
return taken
