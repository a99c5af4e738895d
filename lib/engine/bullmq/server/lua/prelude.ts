/**
 * The beginning of every script, as local names and functions. BullMQ's keys and fields are described in
 * https://github.com/taskforcesh/bullmq/tree/master/src/commands.
 *
 * ARGV[1]: the prefix of the queue's keys, ARGV[2]: the id of the job; the script's own arguments follow.
 */
export const PRELUDE = `
local call = redis.call
local base, id = ARGV[1], ARGV[2]
local job, failed, cancelled = base .. id, base .. 'failed', base .. 'flowrra:cancelled'

local function publish(event, ...)
  local kept = call('HGET', base .. 'meta', 'opts.maxLenEvents') or 10000
  call('XADD', base .. 'events', 'MAXLEN', '~', kept, '*', 'event', event, 'jobId', id, ...)
end

-- A key with a time to live outlives its job.
local function freeKey()
  local key = base .. 'de:' .. (call('HGET', job, 'deid') or '')
  if call('PTTL', key) == -1 and call('GET', key) == id then call('DEL', key) end
end

-- Adds the job to those that wait, behind the others of its priority.
local function enqueue()
  local meta = call('HMGET', base .. 'meta', 'paused', 'concurrency')
  local priority = tonumber(call('HGET', job, 'priority') or 0)
  if priority == 0 then call('LPUSH', base .. 'wait', id)
  else call('ZADD', base .. 'prioritized', priority * 0x100000000 + call('INCR', base .. 'pc') % 0x100000000, id) end
  if not meta[1] and not (meta[2] and call('LLEN', base .. 'active') >= tonumber(meta[2])) then
    call('ZADD', base .. 'marker', 0, '0')
  end
end

-- The tags of jobs: see RedisTags.
local tags, tagged = base .. 'flowrra:tags', base .. 'flowrra:tagged'
local function tagKey(name) return base .. 'flowrra:tag:' .. name end

-- Notes the tags of a job in ARGV[first] to ARGV[last]; 'at' is its submission. Earlier ones stay.
local function tag(which, at, now, first, last)
  local known = call('HGET', tags, which)
  local all, has = known and cjson.decode(known) or {}, {}
  for _, name in ipairs(all) do has[name] = true end
  for given = first, last do
    call('ZADD', tagKey(ARGV[given]), at, which)
    if not has[ARGV[given]] then table.insert(all, ARGV[given]) end
  end
  call('HSET', tags, which, cjson.encode(all))
  call('ZADD', tagged, now, which)
end

local function untag(which)
  local known = call('HGET', tags, which)
  if not known then return end
  for _, name in ipairs(cjson.decode(known)) do call('ZREM', tagKey(name), which) end
  call('HDEL', tags, which)
  call('ZREM', tagged, which)
end

local function delete(which)
  local key = base .. which
  call('DEL', key, key .. ':logs', key .. ':dependencies', key .. ':processed', key .. ':failed', key .. ':unsuccessful')
  call('ZREM', cancelled, which)
  untag(which)
end

-- Forgets noted cancellations of which the job is gone. BullMQ deletes the oldest failed jobs first, so
-- the noted jobs that are gone are the oldest. A job that was noted after 'settled' may not have failed yet.
local function forgetGone(most, settled)
  for _ = 1, most do
    local oldest = call('ZRANGEBYSCORE', cancelled, '-inf', settled, 'LIMIT', 0, 1)[1]
    if not oldest or call('ZSCORE', failed, oldest) then break end
    call('ZREM', cancelled, oldest)
  end
end
`;
