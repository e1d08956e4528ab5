-- Writes a value only if its sequence number is above the one that the hash holds for it.
-- KEYS: the value's key; the hash of sequence numbers. ARGV: the writer's fencing token; the field; the sequence number; the
-- value. Answers 1 if it wrote, else 0.
-- Numbers are compared as text, because a Lua number holds no more than 53 bits of one.
local function above(a, b)
    if #a ~= #b then
        return #a > #b
    end
    return a > b
end
local function number(text)
    if not text or not string.find(text, '^%d+$') or (#text > 1 and string.sub(text, 1, 1) == '0') then
        return nil
    end
    return text
end

local token, field, sequence, value = number(ARGV[1]), ARGV[2], number(ARGV[3]), ARGV[4]
if #KEYS ~= 2 or not token or not sequence or not value then
    return redis.error_reply('REFUSED set_newer takes 2 keys and 3 arguments, the second of which is a number')
end
local held = redis.call('HMGET', KEYS[2], field, 'fence')
if held[2] and above(held[2], token) then
    return redis.error_reply('FENCED a later writer has token ' .. held[2] .. ', this one ' .. token)
end
if token ~= '0' and held[2] ~= token then
    redis.call('HSET', KEYS[2], 'fence', token)
end
if held[1] and not above(sequence, held[1]) then
    return 0
end
if sequence == '0' then
    return 0
end
redis.call('HSET', KEYS[2], field, sequence)
redis.call('SET', KEYS[1], value)
return 1
