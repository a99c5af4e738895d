import { PRELUDE } from './prelude.js';

/** Arguments: token; progress or ''; the number of rows to keep; rows. */
export const REPORT = `${PRELUDE}
if call('GET', job .. ':lock') ~= ARGV[3] then return end
if ARGV[4] ~= '' then
  call('HSET', job, 'progress', ARGV[4])
  publish('progress', 'data', ARGV[4])
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

/**
 * Arguments: 'requeue' for an active job that is to wait again; then for each field its name, its known
 * value and its new value, '' for none.
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
publish('waiting', 'prev', 'active')
return 1
`;

/** With the dedupe key instead of an id. Arguments: data; delay; now; tags. */
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
untag(id)
if #ARGV > 5 then tag(id, tonumber(call('HGET', job, 'timestamp')) or ARGV[5], ARGV[5], 6, #ARGV) end
publish('delayed', 'delay', due)
return id
`;
