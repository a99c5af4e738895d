import { PRELUDE } from './prelude.js';

/** Arguments of `sweep`: now; the latest time of the last check. It checks jobs in turn and forgets those that are gone. */
const SWEEP = `
local function sweep(most, now, checked)
  local due = call('ZRANGEBYSCORE', tagged, '-inf', checked, 'LIMIT', 0, most)
  for _, which in ipairs(due) do
    if call('EXISTS', base .. which) == 1 then call('ZADD', tagged, now, which) else untag(which) end
  end
  return #due
end
`;

/**
 * Without an id. Arguments: now; the time until which noted jobs are checked; then for each job its id, the number of
 * its tags, and its tags. A job that exists keeps its tags: BullMQ will not add another one with its id. Each call
 * checks more noted jobs than it notes, so that the entries of jobs that BullMQ has deleted stay few.
 */
export const NOTE_TAGS = `${PRELUDE}${SWEEP}
local now, at, noted = ARGV[3], 5, 0
while at <= #ARGV do
  local which, last = ARGV[at], at + 1 + tonumber(ARGV[at + 1])
  if call('EXISTS', base .. which) == 0 then tag(which, now, now, at + 2, last) end
  at, noted = last + 1, noted + 1
end
sweep(3 * noted, now, ARGV[4])
`;

/** Without an id. Arguments: tag; the id of the job before the page, or ''; its score; the number of jobs. */
export const LIST_TAGGED = `${PRELUDE}
local key, before = tagKey(ARGV[3]), ARGV[4]
local from = 0
if before ~= '' then
  local rank = call('ZREVRANK', key, before)
  if not rank then
    -- The job is gone: its former place is found by adding it for a moment.
    call('ZADD', key, ARGV[5], before)
    rank = call('ZREVRANK', key, before) - 1
    call('ZREM', key, before)
  end
  from = rank + 1
end
return call('ZREVRANGE', key, from, from + ARGV[6] - 1, 'WITHSCORES')
`;

/** Without an id. Arguments: the time until which noted jobs count as gone; ids. */
export const FORGET_TAGS = `${PRELUDE}
for given = 4, #ARGV do
  local checked = call('ZSCORE', tagged, ARGV[given])
  if checked and tonumber(checked) <= tonumber(ARGV[3]) and call('EXISTS', base .. ARGV[given]) == 0 then
    untag(ARGV[given])
  end
end
`;

/** Without an id. Arguments: now; the latest time of the last check; the most jobs. Returns the number of checked jobs. */
export const SWEEP_TAGS = `${PRELUDE}${SWEEP}
return sweep(tonumber(ARGV[5]), ARGV[3], ARGV[4])
`;
