import { CANCEL_KEY, MAX_POSTS, MAX_WAKE_DELAY_MS, POSTS_PER_MS } from '../../../../job/journal/journal.js';
import { CANCELLED } from '../../job-mapping.js';
import { JOURNAL_KEY } from '../bullmq-internals.js';
import { PRELUDE } from './prelude.js';

/** The beginnings of a journal's fields: of its entries, and of its counters. */
export const ENTRY = 'flowrra.entry:';
export const COUNTER = 'flowrra.journal:';
/** The set of a queue's suspended jobs. */
export const SUSPENDED_KEY = 'flowrra:suspended';

/**
 * Part of a script, on the journal and the suspension of the job.
 *
 * A journal is a hash. The field of an entry has its position and its body with a space between them. Its counters are
 * `posts`, `last` (the position of the latest entry) and `appended`. A sorted set has the suspended jobs by due time.
 */
export const JOURNALLED_JOB = `
local journal, suspended, delayed = job .. '${JOURNAL_KEY}', base .. '${SUSPENDED_KEY}', base .. 'delayed'

-- For scripts on several jobs, in which 'job' changes.
local function journalKey() return job .. '${JOURNAL_KEY}' end

local function isAppended()
  return call('HEXISTS', journalKey(), '${COUNTER}appended') == 1
end

local function write(field, body)
  local known = call('HGET', journalKey(), field)
  local position = known and string.match(known, '^%d+') or call('HINCRBY', journalKey(), '${COUNTER}last', 1)
  call('HSET', journalKey(), field, position .. ' ' .. body)
end

local function postCancel(text)
  call('HDEL', job, 'flowrra:cancel')
  local field = '${ENTRY}${CANCEL_KEY}'
  if call('HEXISTS', journalKey(), field) == 1 then return end
  write(field, cjson.encode({ reason = string.sub(text, ${CANCELLED.length + 1}) }))
  call('HINCRBY', journalKey(), '${COUNTER}posts', 1)
end

-- A mark of which the time is over does not count: the job may have been started since.
local function isSuspended(now)
  local due = tonumber(call('ZSCORE', suspended, id) or 0)
  if due <= now then return false end
  return math.floor(tonumber(call('ZSCORE', delayed, id) or 0) / 0x1000) == due
end

local function delayUntil(due)
  call('ZADD', delayed, due * 0x1000, id)
  call('ZADD', base .. 'marker', call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2] / 0x1000, '1')
  publish('delayed', 'delay', due)
end

-- A delayed job comes due at this time, or is due.
local function wake(due, now)
  if due > now then
    call('ZADD', suspended, due, id)
    return delayUntil(due)
  end
  call('ZREM', suspended, id)
  call('ZREM', delayed, id)
  call('HSET', job, 'delay', 0)
  enqueue()
  publish('waiting', 'prev', 'delayed')
end
`;

/** Answers the fields and values of the journal in turn; nil if there is no such job. */
export const READ = `${PRELUDE}
if call('EXISTS', job) == 0 then return nil end
return call('HGETALL', job .. '${JOURNAL_KEY}')
`;

/** Arguments: token; fields and bodies in turn. */
export const APPEND = `${PRELUDE}${JOURNALLED_JOB}
if call('GET', job .. ':lock') ~= ARGV[3] then return 0 end
for at = 4, #ARGV, 2 do write(ARGV[at], ARGV[at + 1]) end
call('HSET', journal, '${COUNTER}appended', 1)
-- BullMQ would end the job by it, without a run.
local text = call('HGET', job, 'defa')
if text and string.sub(text, 1, ${CANCELLED.length}) == '${CANCELLED}' then
  call('HSETNX', job, 'flowrra:cancel', text)
  call('HDEL', job, 'defa')
end
return 1
`;

/** Arguments: field; body; now; the time until which finished jobs count as unknown. */
export const POST = `${PRELUDE}${JOURNALLED_JOB}
if call('EXISTS', job) == 0 then return 'unknown' end
if call('ZSCORE', failed, id) or call('ZSCORE', base .. 'completed', id) then
  return tonumber(call('HGET', job, 'finishedOn') or 0) > tonumber(ARGV[6]) and 'finished' or 'unknown'
end
if call('HEXISTS', journal, ARGV[3]) == 1 then return 'known' end
local posts = tonumber(call('HGET', journal, '${COUNTER}posts') or 0) + 1
if posts > ${MAX_POSTS} then return 'full' end
write(ARGV[3], ARGV[4])
call('HSET', journal, '${COUNTER}posts', posts)
local now = tonumber(ARGV[5])
if isSuspended(now) then
  local due = now + math.min(${MAX_WAKE_DELAY_MS}, math.floor(posts / ${POSTS_PER_MS}))
  if due < tonumber(call('ZSCORE', suspended, id)) then wake(due, now) end
end
return 'posted'
`;

/** Arguments: the field and the body of the entry to write; the fields to delete. */
export const FORGET = `${PRELUDE}${JOURNALLED_JOB}
local reason = call('HGET', job, 'failedReason') or ''
if not call('ZSCORE', failed, id) or string.sub(reason, 1, ${CANCELLED.length}) == '${CANCELLED}' then return 0 end
for at = 5, #ARGV do call('HDEL', journal, ARGV[at]) end
write(ARGV[3], ARGV[4])
return 1
`;

/** Arguments: token; the due time; the number of posted entries that the attempt has seen; now. */
export const SUSPEND = `${PRELUDE}${JOURNALLED_JOB}
if call('GET', job .. ':lock') ~= ARGV[3] or call('LREM', base .. 'active', -1, id) == 0 then return 0 end
call('DEL', job .. ':lock')
call('SREM', base .. 'stalled', id)
local due, now = tonumber(ARGV[4]), tonumber(ARGV[6])
local text = isAppended() and call('HGET', job, 'flowrra:cancel')
if text then postCancel(text) end
if tonumber(call('HGET', journal, '${COUNTER}posts') or 0) > tonumber(ARGV[5]) or due <= now then
  call('HSET', job, 'delay', 0)
  enqueue()
  publish('waiting', 'prev', 'active')
else
  call('HSET', job, 'delay', due - now)
  call('ZADD', suspended, due, id)
  delayUntil(due)
end
for _, which in ipairs(call('ZRANGEBYSCORE', suspended, '-inf', now, 'LIMIT', 0, 10)) do call('ZREM', suspended, which) end
return 1
`;

/** Answers whether an attempt has appended to the journal, and the text of a cancellation. */
export const RESUME = `${PRELUDE}${JOURNALLED_JOB}
call('ZREM', suspended, id)
return { isAppended() and 1 or 0, call('HGET', job, 'flowrra:cancel') or '' }
`;

/** Without an id. Arguments: now. A job that has come due counts as a waiting one. */
export const COUNT_SUSPENDED = `${PRELUDE}
return call('ZCOUNT', base .. '${SUSPENDED_KEY}', '(' .. ARGV[3], '+inf')
`;

/** Without an id. Arguments: ids. Answers for each its score as a delayed job and its mark, '' for none. */
export const DELAYS = `${PRELUDE}
local answers = {}
for given = 3, #ARGV do
  table.insert(answers, call('ZSCORE', base .. 'delayed', ARGV[given]) or '')
  table.insert(answers, call('ZSCORE', base .. '${SUSPENDED_KEY}', ARGV[given]) or '')
end
return answers
`;
