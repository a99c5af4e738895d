/**
 * The beginning of every script on schedules. A hash has the schedules by name, each as its version, its due
 * time and its body with a space between them. One sorted set has the names by due time, and another one has
 * all names with the same score, which Redis sorts byte by byte.
 *
 * ARGV[1]: the key of the hash; the script's own arguments follow.
 */
const PRELUDE = `
local call = redis.call
local stored, dues, names = ARGV[1], ARGV[1] .. '.due', ARGV[1] .. '.names'

local function withValues(found)
  local values = {}
  for index, name in ipairs(found) do
    values[2 * index - 1] = name
    values[2 * index] = call('HGET', stored, name)
  end
  return values
end
`;

/** Arguments: the number of names. Answers names and values in turn. */
export const EARLIEST = `${PRELUDE}
return withValues(call('ZRANGEBYSCORE', dues, '-inf', '+inf', 'LIMIT', 0, ARGV[2]))
`;

/** Arguments: the name before the page; the number of names. Answers names and values in turn. */
export const PAGE = `${PRELUDE}
return withValues(call('ZRANGEBYLEX', names, '(' .. ARGV[2], '+', 'LIMIT', 0, ARGV[3]))
`;

/** Arguments: for each schedule its name, the expected version, its due time or '', and its new value. */
export const PUT = `${PRELUDE}
local answers = {}
for at = 2, #ARGV, 4 do
  local name, expected, due, value = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local version = string.match(call('HGET', stored, name) or '', '^%d+') or '0'
  local matches = version == expected
  if matches then
    call('HSET', stored, name, value)
    call('ZADD', names, 0, name)
    if due == '' then call('ZREM', dues, name) else call('ZADD', dues, due, name) end
  end
  table.insert(answers, matches and 1 or 0)
end
return answers
`;

/** Arguments: the name. Redis deletes a key with its last element. */
export const REMOVE = `${PRELUDE}
call('ZREM', names, ARGV[2])
call('ZREM', dues, ARGV[2])
return call('HDEL', stored, ARGV[2])
`;
