-- Runs commands together: all take effect or none does. MULTI alone would go on after one that meets another kind of value;
-- here, what each will meet is looked at before the first is run.
-- KEYS: every key that is named. ARGV, for each command: how many words it has; the kind of value that it needs at its key; the
-- kind that it leaves there; the words.
local kinds = {}
for _, key in ipairs(KEYS) do
    kinds[key] = redis.call('TYPE', key).ok
end
local commands, at = {}, 1
while ARGV[at] do
    local width, needs, leaves, words = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2], {}
    for n = 1, width do
        words[n] = ARGV[at + 2 + n]
    end
    at = at + 3 + width
    commands[#commands + 1] = words
    local key = words[2]
    local kind = kinds[key] or 'none'
    if needs ~= 'any' and kind ~= 'none' and kind ~= needs then
        return redis.error_reply('WRONGTYPE ' .. key .. ' holds another kind of value')
    end
    if leaves == 'none' then
        for n = 2, width do
            kinds[words[n]] = 'none'
        end
    elseif leaves == 'absent' then
        if kind == 'none' then
            kinds[key] = 'string'
        end
    elseif leaves ~= 'same' then
        kinds[key] = leaves
    end
end
local replies = {}
for n, words in ipairs(commands) do
    replies[n] = redis.call(unpack(words))
end
return replies
