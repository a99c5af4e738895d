import { ENDING_KEY } from '../../../../job/journal/journal-record.js';
import { JOURNAL_KEY } from '../bullmq-internals.js';
import { ENTRY } from './journal.js';
import { PRELUDE } from './prelude.js';

/** Part of a script: `removeJob()` and `retryJob(cancelledText)` return whether there was such a job. */
export const FINISHED_JOB = `
local function removeJob()
  local from = nil
  if call('ZREM', failed, id) == 1 then from = 'failed'
  elseif call('ZREM', base .. 'completed', id) == 1 then from = 'completed'
  else return false end
  freeKey()
  delete(id)
  publish('removed', 'prev', from)
  return true
end

local function retryJob(cancelledText)
  local reason = call('HGET', job, 'failedReason')
  if reason and string.sub(reason, 1, #cancelledText) == cancelledText then return false end
  if call('ZREM', failed, id) == 0 then return false end
  call('HDEL', job, 'finishedOn', 'processedOn', 'failedReason', 'stacktrace', 'atm', 'stc', 'flowrra:starts', 'flowrra:cancel', 'defa', 'progress')
  call('HDEL', job .. '${JOURNAL_KEY}', '${ENTRY}${ENDING_KEY}')
  enqueue()

  local key = call('HGET', job, 'deid')
  local fine, opts = pcall(cjson.decode, call('HGET', job, 'opts') or '{}')
  local dedupe = fine and type(opts) == 'table' and opts['de']
  if key and type(dedupe) == 'table' and not dedupe['ttl'] then call('SET', base .. 'de:' .. key, id, 'NX') end
  publish('waiting', 'prev', 'failed')
  return true
end
`;

export const REMOVE = `${PRELUDE}${FINISHED_JOB}
return removeJob() and 1 or 0
`;

/** Without an id. Arguments: the latest time of finishing; ids. */
export const DROP_FINISHED = `${PRELUDE}
for given = 4, #ARGV do
  id = ARGV[given]
  job = base .. id
  local at = tonumber(call('HGET', job, 'finishedOn'))
  if at and at <= tonumber(ARGV[3]) and call('ZREM', failed, id) + call('ZREM', base .. 'completed', id) > 0 then
    freeKey()
    delete(id)
  end
end
`;

/** Arguments: the beginning of a cancelled job's failure text. */
export const RETRY = `${PRELUDE}${FINISHED_JOB}
return retryJob(ARGV[3]) and 1 or 0
`;
