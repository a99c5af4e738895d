/**
 * What the names of BullMQ's keys and fields mean: https://github.com/taskforcesh/bullmq/tree/master/src/commands.
 * Arguments: what the keys of the queue begin with, the id of the job, and then those of the script.
 */
const PRELUDE = `
local call = redis.call
local base, id = ARGV[1], ARGV[2]
local job, failed, cancelled = base .. id, base .. 'failed', base .. 'flowrra:cancelled'

local function tell(event, ...)
  local kept = call('HGET', base .. 'meta', 'opts.maxLenEvents') or 10000
  call('XADD', base .. 'events', 'MAXLEN', '~', kept, '*', 'event', event, 'jobId', id, ...)
end

-- A key that has a time to live outlives its job.
local function freeKey()
  local key = base .. 'de:' .. (call('HGET', job, 'deid') or '')
  if call('PTTL', key) == -1 and call('GET', key) == id then call('DEL', key) end
end

local function drop(which)
  local gone = base .. which
  call('DEL', gone, gone .. ':logs', gone .. ':dependencies', gone .. ':processed', gone .. ':failed', gone .. ':unsuccessful')
  call('ZREM', cancelled, which)
end

-- BullMQ drops the oldest failed jobs first: so those that are noted and gone are the oldest.
-- What was noted later than 'settled' may not have failed yet.
local function forgetGone(most, settled)
  for _ = 1, most do
    local oldest = call('ZRANGEBYSCORE', cancelled, '-inf', settled, 'LIMIT', 0, 1)[1]
    if not oldest or call('ZSCORE', failed, oldest) then break end
    call('ZREM', cancelled, oldest)
  end
end
`;

/**
 * Arguments: text, now, the age in milliseconds and the number of failed jobs that are kept, until when what
 * was noted has failed by now. Who adds one forgets two, so that what is gone does not pile up.
 */
export const CANCEL = `${PRELUDE}
local text, now, age, count = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if call('EXISTS', job) == 0 then return { 'unknown' } end
if call('ZSCORE', failed, id) or call('ZSCORE', base .. 'completed', id) then return { 'finished' } end

-- That a child has failed is for BullMQ to tell its parent.
local from = nil
if call('HEXISTS', job, 'parentKey') == 0 then
  if call('ZREM', base .. 'delayed', id) == 1 then from = 'delayed'
  elseif call('ZREM', base .. 'prioritized', id) == 1 then from = 'prioritized'
  elseif call('EXISTS', job .. ':lock') == 0 and call('LREM', base .. 'wait', 1, id) == 1 then from = 'waiting' end
end
if not from then
  call('HSETNX', job, 'defa', text)
  return { 'told', call('HGET', job, 'defa') }
end

text = call('HGET', job, 'defa') or text
call('HSET', job, 'failedReason', text, 'finishedOn', now)
call('HINCRBY', job, 'atm', 1)
call('HDEL', job, 'defa')
call('ZADD', failed, now, id)
call('ZADD', cancelled, now, id)
forgetGone(2, ARGV[7])
freeKey()
tell('failed', 'failedReason', text, 'prev', from)

-- BullMQ itself drops old ones only when a job that has run fails.
local old = call('ZRANGEBYSCORE', failed, '-inf', now - age, 'LIMIT', 0, 100)
local over = math.min(call('ZCARD', failed) - #old - count, 100)
if over > 0 then
  for _, which in ipairs(call('ZRANGE', failed, #old, #old + over - 1)) do table.insert(old, which) end
end
for _, which in ipairs(old) do
  drop(which)
  call('ZREM', failed, which)
end
return { 'cancelled', text }
`;

/** Arguments: now, until when what was noted has failed by now. */
export const NOTE_CANCELLED = `${PRELUDE}
call('ZADD', cancelled, ARGV[3], id)
forgetGone(2, ARGV[4])
`;

/** Arguments: until when what was noted has failed by now. */
export const COUNT_CANCELLED = `${PRELUDE}
forgetGone(1000, ARGV[3])
return call('ZCARD', cancelled)
`;

/** Arguments: token, progress or '', how many rows are kept, rows. */
export const REPORT = `${PRELUDE}
if call('GET', job .. ':lock') ~= ARGV[3] then return end
if ARGV[4] ~= '' then
  call('HSET', job, 'progress', ARGV[4])
  tell('progress', 'data', ARGV[4])
end
for row = 6, #ARGV do call('RPUSH', job .. ':logs', ARGV[row]) end
call('LTRIM', job .. ':logs', -tonumber(ARGV[5]), -1)
`;

/** Arguments: token. */
export const COUNT_START = `${PRELUDE}
local counted = tonumber(call('HGET', job, 'flowrra:starts') or 0)
if call('GET', job .. ':lock') == ARGV[3] then call('HSET', job, 'flowrra:starts', counted + 1) end
return counted
`;

export const REMOVE = `${PRELUDE}
local from = nil
if call('ZREM', failed, id) == 1 then from = 'failed'
elseif call('ZREM', base .. 'completed', id) == 1 then from = 'completed'
else return 0 end
freeKey()
drop(id)
tell('removed', 'prev', from)
return 1
`;

/** Instead of an id: nothing. Arguments: until when they finished, ids. */
export const DROP_FINISHED = `${PRELUDE}
for given = 4, #ARGV do
  id = ARGV[given]
  job = base .. id
  local at = tonumber(call('HGET', job, 'finishedOn'))
  if at and at <= tonumber(ARGV[3]) and call('ZREM', failed, id) + call('ZREM', base .. 'completed', id) > 0 then
    freeKey()
    drop(id)
  end
end
`;

/** Arguments: what the text of a cancelled job begins with. */
export const RETRY = `${PRELUDE}
local reason = call('HGET', job, 'failedReason')
if reason and string.sub(reason, 1, #ARGV[3]) == ARGV[3] then return 0 end
if call('ZREM', failed, id) == 0 then return 0 end
call('HDEL', job, 'finishedOn', 'processedOn', 'failedReason', 'stacktrace', 'atm', 'stc', 'flowrra:starts', 'defa', 'progress')

local meta = call('HMGET', base .. 'meta', 'paused', 'concurrency')
local priority = tonumber(call('HGET', job, 'priority') or 0)
if priority == 0 then call('LPUSH', base .. 'wait', id)
else call('ZADD', base .. 'prioritized', priority * 0x100000000 + call('INCR', base .. 'pc') % 0x100000000, id) end
if not meta[1] and not (meta[2] and call('LLEN', base .. 'active') >= tonumber(meta[2])) then
  call('ZADD', base .. 'marker', 0, '0')
end

local key = call('HGET', job, 'deid')
local fine, opts = pcall(cjson.decode, call('HGET', job, 'opts') or '{}')
local dedupe = fine and type(opts) == 'table' and opts['de']
if key and type(dedupe) == 'table' and not dedupe['ttl'] then call('SET', base .. 'de:' .. key, id, 'NX') end
tell('waiting', 'prev', 'failed')
return 1
`;

/**
 * Arguments: whether an active job is to wait again, and then, of each field, its name, what it is known
 * to say and what it is to say: '' for nothing.
 */
export const REPAIR = `${PRELUDE}
for at = 4, #ARGV, 3 do
  if (call('HGET', job, ARGV[at]) or '') ~= ARGV[at + 1] then return 0 end
end
for at = 4, #ARGV, 3 do
  if ARGV[at + 2] == '' then call('HDEL', job, ARGV[at]) else call('HSET', job, ARGV[at], ARGV[at + 2]) end
end
if ARGV[3] ~= 'requeue' or call('LREM', base .. 'active', 1, id) == 0 then return 1 end
call('DEL', job .. ':lock')
call('SREM', base .. 'stalled', id)
call('RPUSH', base .. 'wait', id)
if call('HEXISTS', base .. 'meta', 'paused') == 0 then call('ZADD', base .. 'marker', 0, '0') end
tell('waiting', 'prev', 'active')
return 1
`;

/** Instead of an id: the key. Arguments: data, delay, now. */
export const DEBOUNCE = `${PRELUDE}
local key, delayed = base .. 'de:' .. id, base .. 'delayed'
id = call('GET', key)
if not id then return nil end
job = base .. id
if not call('ZSCORE', delayed, id) or tonumber(call('HGET', job, 'ats') or 0) > 0 then
  call('DEL', key)
  return nil
end
local due = tonumber(ARGV[5]) + tonumber(ARGV[4])
call('HSET', job, 'data', ARGV[3], 'delay', ARGV[4])
call('ZADD', delayed, due * 0x1000, id)
call('ZADD', base .. 'marker', call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2] / 0x1000, '1')
tell('delayed', 'delay', due)
return id
`;
