import { JOURNALLED_JOB } from './journal.js';
import { PRELUDE } from './prelude.js';

/** Part of a script: `cancelJob(text, now, settled)` returns the kind of the answer and its text; `trimFailed` deletes old failed jobs. */
export const CANCEL_JOB = `${JOURNALLED_JOB}
-- A job to whose journal an attempt has appended ends only in a run.
local function cancelJournalled(text, now)
  local waits = call('ZSCORE', base .. 'delayed', id) or call('ZSCORE', base .. 'prioritized', id)
  if not waits and call('EXISTS', job .. ':lock') == 0 then waits = call('LPOS', base .. 'wait', id, 'RANK', -1) end
  if not waits then
    call('HSETNX', job, 'flowrra:cancel', text)
    return 'signalled', call('HGET', job, 'flowrra:cancel')
  end
  postCancel(call('HGET', job, 'flowrra:cancel') or text)
  if call('ZSCORE', base .. 'delayed', id) then wake(now, now) end
  return 'signalled', ''
end

local function cancelJob(text, now, settled, isTaken)
  if call('EXISTS', job) == 0 then return 'unknown' end
  if call('ZSCORE', failed, id) or call('ZSCORE', base .. 'completed', id) then return 'finished' end
  if isAppended() then return cancelJournalled(text, now) end

  -- A child job is failed by BullMQ, which informs its parent.
  local from = nil
  if call('HEXISTS', job, 'parentKey') == 0 then
    if isTaken then from = 'waiting'
    elseif call('ZREM', base .. 'delayed', id) == 1 then from = 'delayed'
    elseif call('ZREM', base .. 'prioritized', id) == 1 then from = 'prioritized'
    elseif call('EXISTS', job .. ':lock') == 0 and call('LREM', base .. 'wait', -1, id) == 1 then from = 'waiting' end
  end
  if not from then
    call('HSETNX', job, 'defa', text)
    return 'signalled', call('HGET', job, 'defa')
  end

  text = call('HGET', job, 'defa') or text
  call('HSET', job, 'failedReason', text, 'finishedOn', now)
  call('HINCRBY', job, 'atm', 1)
  call('HDEL', job, 'defa')
  call('ZREM', suspended, id)
  call('ZADD', failed, now, id)
  call('ZADD', cancelled, now, id)
  forgetGone(2, settled)
  freeKey()
  publish('failed', 'failedReason', text, 'prev', from)
  return 'cancelled', text
end

-- BullMQ itself deletes old jobs only when a job fails that has run.
local function trimFailed(now, age, count, most)
  local old = call('ZRANGEBYSCORE', failed, '-inf', now - age, 'LIMIT', 0, most)
  local over = math.min(call('ZCARD', failed) - #old - count, most)
  if over > 0 then
    for _, which in ipairs(call('ZRANGE', failed, #old, #old + over - 1)) do table.insert(old, which) end
  end
  for _, which in ipairs(old) do
    delete(which)
    call('ZREM', failed, which)
  end
end
`;

/**
 * Arguments: text; now; the age in milliseconds and the number of failed jobs to keep; the time until which
 * noted jobs have failed by now. Each call notes one job and forgets up to two, so that the notes stay few.
 */
export const CANCEL = `${PRELUDE}${CANCEL_JOB}
local kind, text = cancelJob(ARGV[3], tonumber(ARGV[4]), ARGV[7])
if kind == 'cancelled' then trimFailed(tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), 100) end
return { kind, text }
`;

/** Arguments: now; the time until which noted jobs have failed by now. */
export const NOTE_CANCELLED = `${PRELUDE}
call('ZADD', cancelled, ARGV[3], id)
forgetGone(2, ARGV[4])
`;

/** Without an id. Arguments: the time until which noted jobs have failed by now. */
export const COUNT_CANCELLED = `${PRELUDE}
forgetGone(1000, ARGV[3])
return call('ZCARD', cancelled)
`;
