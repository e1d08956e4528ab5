-- Brings what a symbol shows up to the market's state, and only ever forward.
-- KEYS: depth, ticker, ohlc, open candle, closed candles, trades, numbers of the last writes, number of the newest closed candle.
-- ARGV: the writer's fencing token, then what engine/market_data.rs describes at the script's name.
-- Answers how many closed candles it added; -1, and changes nothing, where one is lost that the writer knows of.
-- Numbers are compared as text, because a Lua number holds no more than 53 bits of one.
local function above(a, b)
    if #a ~= #b then
        return #a > #b
    end
    return a > b
end

local at = 0
local function next_value()
    at = at + 1
    return ARGV[at]
end
local function next_number()
    local text = next_value()
    if not text or not string.find(text, '^%d+$') or (#text > 1 and string.sub(text, 1, 1) == '0') then
        return nil
    end
    return text
end
-- Pairs of a number and a value.
local function next_numbered()
    local count = next_number()
    if not count then
        return nil
    end
    local all = {}
    for n = 1, tonumber(count) do
        local number, value = next_number(), next_value()
        if not number or not value then
            return nil
        end
        all[n] = { number, value }
    end
    return all
end

local refusal = 'REFUSED market_data was called with what it does not understand'
local token, sequence = next_number(), next_number()
local depth, ticker, ohlc = next_value(), next_value(), next_value()
local width = next_number()
if #KEYS ~= 8 or not token or not sequence or not ohlc or not width then
    return redis.error_reply(refusal)
end
local fields = {}
for n = 1, tonumber(width) do
    fields[n] = next_value()
    if not fields[n] then
        return redis.error_reply(refusal)
    end
end
local closed, trades, known = next_numbered(), nil, nil
if closed then
    trades = next_numbered()
end
if trades then
    known = next_number()
end
if not known then
    return redis.error_reply(refusal)
end

local held = redis.call('HMGET', KEYS[7], 'market', 'trades', 'fence')
local last_market, last_trade, fence = held[1] or '0', held[2] or '0', held[3] or '0'
if above(fence, token) then
    return redis.error_reply('FENCED a later writer has token ' .. fence .. ', this one ' .. token)
end
local numbers = {}
if above(token, fence) then
    numbers = { 'fence', token }
end

local added = 0
local last = '0'
if #closed > 0 or known ~= '0' then
    last = redis.call('GET', KEYS[8]) or '0'
end
if above(known, last) then
    return -1
end
if #closed > 0 then
    for _, candle in ipairs(closed) do
        if above(candle[1], last) then
            redis.call('LPUSH', KEYS[5], candle[2])
            added = added + 1
            last = candle[1]
        end
    end
    if added > 0 then
        redis.call('SET', KEYS[8], last)
    end
end

local fresh = {}
for _, trade in ipairs(trades) do
    if above(trade[1], last_trade) then
        fresh[#fresh + 1] = trade[2]
        last_trade = trade[1]
    end
end
if #fresh > 0 then
    redis.call('LPUSH', KEYS[6], unpack(fresh))
    redis.call('LTRIM', KEYS[6], 0, 49)
    numbers[#numbers + 1] = 'trades'
    numbers[#numbers + 1] = last_trade
end

-- A market of the same state is written again after a restart, so equal numbers pass.
if not above(last_market, sequence) then
    numbers[#numbers + 1] = 'market'
    numbers[#numbers + 1] = sequence
    redis.call('SET', KEYS[1], depth)
    if ticker ~= '' then
        redis.call('SET', KEYS[2], ticker)
    end
    if ohlc ~= '' then
        redis.call('SET', KEYS[3], ohlc)
    end
    if #fields == 0 then
        redis.call('DEL', KEYS[4])
    else
        redis.call('HSET', KEYS[4], unpack(fields))
    end
end
if #numbers > 0 then
    redis.call('HSET', KEYS[7], unpack(numbers))
end
return added
