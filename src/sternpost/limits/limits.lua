-- Counts a call at all its limits, or at none: the translation of algorithms.py, which defines what is done here.
--
-- KEYS: one for each charge. ARGV: six for each charge: algorithm, quantity, period_us, depth * period_us, cost, flags
-- (1: queues, 2: shadow). All are whole numbers, and none of what is computed passes 2^53 (UNITS_MAX), so doubles are
-- exact. `a % b` of Lua 5.1 is not exact for large numbers; math.fmod is.
--
-- Answers the time by which it counted, in microseconds, and five numbers for each charge: allowed (1 or 0), remaining,
-- reset_us, retry_us, wait_us.

local SUB_WINDOWS = 10
local COUNTERS = SUB_WINDOWS + 1

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local function floor_div(a, b)
    return (a - math.fmod(a, b)) / b
end

local function ceil_div(a, b)
    local rest = math.fmod(a, b)
    if rest == 0 then return a / b end
    return (a - rest) / b + 1
end

local function fixed_window(rule, state, cost)
    local began, used = state[1], state[2]
    local current = now - math.fmod(now, rule.period)
    if began < current then used = 0 end
    local left = current + rule.period - now
    local after = used + cost
    if after <= rule.quantity or cost == 0 then
        return {current, after}, {1, math.max(rule.quantity - after, 0), after > 0 and left or 0, 0, 0}
    end
    local verdict = {0, math.max(rule.quantity - used, 0), used > 0 and left or 0, cost > rule.quantity and 0 or left, 0}
    return began > current and {current, used} or nil, verdict
end

-- How long it takes until the counter of an age has left; `sub` is the present sub-window within its period, which
-- began at `base`.
local function leaves(rule, base, sub, age)
    return base + ceil_div((sub - age + COUNTERS) * rule.period, SUB_WINDOWS) - now
end

local function freed(rule, base, sub, counters, units)
    local age = COUNTERS
    while units > 0 do
        age = age - 1
        units = units - counters[age + 1]
    end
    return leaves(rule, base, sub, age)
end

local function sliding_window(rule, state, cost)
    local base = now - math.fmod(now, rule.period)
    local sub = floor_div((now - base) * SUB_WINDOWS, rule.period)
    local current = base / rule.period * SUB_WINDOWS + sub
    local moved = current - state[1]
    local counters, used = {}, 0
    for age = 0, SUB_WINDOWS do
        local before = age - math.max(moved, 0)
        counters[age + 1] = before >= 0 and state[before + 2] or 0
        used = used + counters[age + 1]
    end
    local after = used + cost
    if after <= rule.quantity or cost == 0 then
        counters[1] = counters[1] + cost
        local reset = after > 0 and freed(rule, base, sub, counters, after) or 0
        return {current, unpack(counters)}, {1, math.max(rule.quantity - after, 0), reset, 0, 0}
    end
    local retry = cost <= rule.quantity and freed(rule, base, sub, counters, after - rule.quantity) or 0
    local reset = used > 0 and freed(rule, base, sub, counters, used) or 0
    return moved < 0 and {current, unpack(counters)} or nil, {0, math.max(rule.quantity - used, 0), reset, retry, 0}
end

local function bucket(rule, state, cost)
    local written, used = state[1], state[2]
    local quantity, room = rule.quantity, rule.room
    if written < now and quantity > 0 then
        -- the product of a long time may pass 2^53, so it is first seen whether all has drained
        local elapsed = now - written
        if elapsed >= ceil_div(used, quantity) then used = 0 else used = used - quantity * elapsed end
    end
    local torn = state[2] > 9007199254740992
    local kept = torn and math.min(used, room) or used
    used = math.min(used, room)
    local free = room - used
    local never = cost * rule.period > room
    local units = never and 0 or cost * rule.period
    if cost == 0 or (not never and units <= free) then
        local wait = rule.queues and quantity > 0 and ceil_div(used, quantity) or 0
        local reset = quantity > 0 and ceil_div(used + units, quantity) or 0
        return {now, used + units}, {1, floor_div(free - units, rule.period), reset, 0, wait}
    end
    local retry = (never or quantity == 0) and 0 or ceil_div(units - free, quantity)
    local verdict = {0, floor_div(free, rule.period), quantity > 0 and ceil_div(used, quantity) or 0, retry, 0}
    return (written > now or torn) and {now, kept} or nil, verdict
end

local WEIGH = {
    fixed_window = fixed_window, sliding_window = sliding_window, token_bucket = bucket, leaky_bucket = bucket
}

local function load(key, rule)
    local state = {}
    for number in string.gmatch(redis.call('GET', key) or '', '%d+') do
        state[#state + 1] = tonumber(number)
    end
    local size = rule.algorithm == 'sliding_window' and COUNTERS + 1 or 2
    for place = 1, size do
        state[place] = state[place] or 0
    end
    return state
end

local function keep(key, state, reset)
    for place = 1, #state do
        state[place] = string.format('%.0f', state[place])
    end
    -- one millisecond more than needed, and a second for the difference of its clock to that of this script
    redis.call('SET', key, table.concat(state, ' '), 'PX', string.format('%.0f', ceil_div(reset, 1000) + 1001))
end

local rules, states, costs, verdicts, refused = {}, {}, {}, {}, false
local counted, put_right = {}, {}
for place, key in ipairs(KEYS) do
    local at = (place - 1) * 6
    local flags = tonumber(ARGV[at + 6])
    local rule = {
        algorithm = ARGV[at + 1],
        quantity = tonumber(ARGV[at + 2]),
        period = tonumber(ARGV[at + 3]),
        room = tonumber(ARGV[at + 4]),
        queues = flags % 2 == 1,
    }
    rules[place] = rule
    states[key] = states[key] or load(key, rule)
    local cost = (costs[key] or 0) + tonumber(ARGV[at + 5])
    local state, verdict = WEIGH[rule.algorithm](rule, states[key], cost)
    verdicts[place] = verdict
    if verdict[1] == 1 then
        costs[key] = cost
        counted[key] = {state, verdict[3]}
    else
        refused = refused or flags < 2
        put_right[key] = state and {state, verdict[3]}
    end
end

local answer = {now}
for place, key in ipairs(KEYS) do
    local verdict = verdicts[place]
    if refused and verdict[1] == 1 then
        local _
        _, verdict = WEIGH[rules[place].algorithm](rules[place], states[key], 0)
    end
    for number = 1, 5 do
        answer[#answer + 1] = verdict[number]
    end
end
for key, change in pairs(put_right) do
    if refused or not counted[key] then keep(key, change[1], change[2]) end
end
if not refused then
    for key, change in pairs(counted) do keep(key, change[1], change[2]) end
end
return answer
