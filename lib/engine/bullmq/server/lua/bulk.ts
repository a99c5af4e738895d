import { CANCEL_JOB } from './cancel.js';
import { FINISHED_JOB } from './finished.js';
import { PRELUDE } from './prelude.js';

/**
 * One step of an operation on many jobs, without an id. Arguments: the operation, as JSON; the source; the position
 * before, as JSON.
 *
 * The source is a sorted set, read from its lowest score on, or a list, read from its end on, which holds the next job.
 * A step reads a limited number of jobs, and stops earlier when its time is over. The position names the last job that
 * has stayed in the source: jobs before it may disappear from the source between two steps.
 *
 * Returns whether the source is at its end, the new position, the number of jobs, and for each changed job its id, the
 * kind of the change, its name, its retries and the text of its cancellation.
 */
export const BULK = `${PRELUDE}${CANCEL_JOB}${FINISHED_JOB}
local given, source, position = cjson.decode(ARGV[3]), ARGV[4], cjson.decode(ARGV[5])
local isList = source == 'wait' or source == 'active'
local key = source == 'tag' and tagKey(given.tag) or base .. source
local function seconds()
  local time = call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local started = seconds()

local function startOf()
  if not position.id then return 0 end
  if isList then
    if call('LINDEX', key, -position.rank - 1) == position.id then return position.rank + 1 end
    local index = call('LPOS', key, position.id, 'RANK', -1)
    return index and call('LLEN', key) - index or 0
  end
  local rank = call('ZRANK', key, position.id)
  return rank and rank + 1 or call('ZCOUNT', key, '-inf', '(' .. position.score)
end

local start = startOf()
local ids
if isList then
  local found = call('LRANGE', key, -start - given.most, -start - 1)
  ids = {}
  for at = #found, 1, -1 do table.insert(ids, found[at]) end
else
  ids = call('ZRANGE', key, start, start + given.most - 1)
end

-- Where a job with a tag is. An active job has a lock, unless its worker has died.
local function placeOf()
  if source ~= 'tag' then return source end
  for _, set in ipairs({ 'completed', 'failed', 'delayed', 'prioritized' }) do
    if call('ZSCORE', base .. set, id) then return set end
  end
  return call('EXISTS', job .. ':lock') == 1 and 'active' or 'wait'
end

local function isCancelled(reason)
  return string.sub(reason or '', 1, #given.cancelled) == given.cancelled
end

local function statusIn(place, reason, made)
  if place == 'completed' then return 'success' end
  if place == 'failed' then return isCancelled(reason) and 'cancelled' or 'failed' end
  if place == 'active' then return 'running' end
  if place == 'delayed' and isSuspended(given.now) then return 'suspended' end
  return (tonumber(made) or 0) > 0 and 'retrying' or 'pending'
end

local function hasTag(data)
  local fine, decoded = pcall(cjson.decode, data or '')
  if not fine or type(decoded) ~= 'table' or type(decoded.tags) ~= 'table' then return false end
  for _, name in ipairs(decoded.tags) do if name == given.tag then return true end end
  return false
end

-- The job's name and retries; nil if it does not meet the conditions.
local function matching()
  local fields = call('HMGET', job, 'name', 'timestamp', 'failedReason', 'atm', 'finishedOn', 'data')
  local name, at, ended = fields[1], tonumber(fields[2]), tonumber(fields[5])
  if not fields[6] or not at or (fields[4] and not string.match(fields[4], '^%d+$')) then return nil end
  local status = statusIn(placeOf(), fields[3], fields[4])
  if not given.status[status] then return nil end
  if given.task and given.task ~= name then return nil end
  if (given.from and at < given.from) or (given.to and at >= given.to) then return nil end
  if ended and (ended <= given.expired or (given.finishedBefore and ended >= given.finishedBefore)) then return nil end
  if given.finishedBefore and not ended then return nil end
  if given.tag and not hasTag(fields[6]) then return nil end
  return name or '', tonumber(fields[4]) or 0
end

local changes, count, read, gone, last = {}, 0, 0, 0, nil

local function apply(index)
  local name, made = matching()
  if not name then return false end
  if given.dryRun then
    count = count + 1
    return false
  end
  local kind, text = given.kind, ''
  local leaves = source ~= 'tag'
  if kind == 'retry' then
    if not retryJob(given.cancelled) then return false end
  elseif kind == 'remove' then
    if not removeJob() then return false end
    leaves = true
  else
    local isTaken = source == 'wait' and call('EXISTS', job .. ':lock') == 0 and call('HEXISTS', job, 'parentKey') == 0 and not isAppended()
    -- An entry in the middle of a list cannot be removed at once: it becomes empty, and all empty ones are removed below.
    if isTaken then
      call('LSET', key, -(start + index), '')
      gone = gone + 1
    end
    kind, text = cancelJob(given.text, given.now, given.settled, isTaken)
    if kind == 'signalled' then leaves = source == 'delayed' and not call('ZSCORE', key, id)
    elseif kind ~= 'cancelled' then return isTaken end
  end
  count = count + 1
  if kind ~= 'remove' then
    for _, value in ipairs({ id, kind, name, made, text or '' }) do table.insert(changes, value) end
  end
  return leaves
end

local stayed = 0
for index, which in ipairs(ids) do
  id, job, read = which, base .. which, index
  -- A job that another program has made unreadable must not end the step.
  local fine, left = pcall(apply, index)
  if not (fine and left) then
    last = which
    stayed = stayed + 1
  end
  if index % 16 == 0 and seconds() - started > given.seconds then break end
end
if gone > 0 then call('LREM', key, -gone, '') end
if given.kind == 'cancel' and count > 0 and not given.dryRun then trimFailed(given.now, given.age, given.keep, 100 + count) end

if last then
  position = { id = last, rank = start + stayed - 1, score = isList and '' or call('ZSCORE', key, last) or '' }
end
local isLast = read == #ids and #ids < given.most
return { isLast and 1 or 0, cjson.encode(position), count, unpack(changes) }
`;
