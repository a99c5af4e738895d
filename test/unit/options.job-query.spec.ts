import { resolveJobBulk, resolveJobQuery } from '../../lib/nest/options/job-query-options.js';
import { configError } from '../support/config-error.js';

const parse = (options: unknown) => resolveJobQuery(options as object);

it('fills in every default', () => {
  expect(parse({})).toEqual({ cursor: null, limit: 50 });
});

it('takes everything that can be said', () => {
  expect(
    parse({
      status: ['failed', 'cancelled'],
      task: 'Mail.send',
      queue: 'mail',
      from: new Date(5),
      to: new Date(7),
      tag: 'order:17',
      finishedBefore: new Date(9),
      cursor: 'abc',
      limit: 1_000,
    }),
  ).toEqual({
    status: ['failed', 'cancelled'],
    task: 'Mail.send',
    queue: 'mail',
    from: 5,
    to: 7,
    tag: 'order:17',
    finishedBefore: 9,
    cursor: 'abc',
    limit: 1_000,
  });
  expect(parse({ status: 'failed' }).status).toEqual(['failed']);
  expect(parse({ status: Array(100_000).fill('failed') }).status).toEqual(['failed']);
  expect(parse({ tag: undefined })).toEqual(parse({}));
  expect(resolveJobBulk({ from: new Date(5) }, 'retryAll()', ['failed'])).toEqual({
    from: 5,
    status: ['failed'],
    dryRun: false,
  });
});

it.each([
  [{ status: 'faild' }, "status: 'faild' is not valid. Did you mean 'failed'?"],
  [{ status: [null] }, 'status: null is not valid.'],
  [new Date(5), 'find(): '],
  [new Map([['tag', 'a']]), 'find(): '],
  [Promise.resolve({ tag: 'a' }), 'It must be an object with some of: task, queue, '],
  [{ limit: 1_001 }, 'limit: 1001 is not valid. It must be a whole number from 1 to 1000.'],
  [{ to: new Date(NaN) }, 'to: '],
  [{ from: 5 }, 'from: 5 is not valid. It must be a valid Date.'],
  [{ finishedBefore: 5 }, 'finishedBefore: 5 is not valid. It must be a valid Date.'],
  [{ queue: 'a:b' }, "queue: 'a:b' is not valid."],
  [{ task: '' }, "task: '' is not valid."],
  [{ tag: '' }, "tag: '' is not valid. A tag is 1 to 100 characters, none a control character."],
  [{ tag: ['a'] }, 'tag: an array is not valid.'],
  [{ tag: 'x'.repeat(101) }, 'A tag is 1 to 100 characters'],
  [{ cursor: {} }, 'cursor: an object is not valid.'],
  [{ states: 'failed' }, "find(): unknown option 'states' (given 'failed'). Did you mean 'status'?"],
])('rejects %j', (options, message) => {
  expect(configError(() => parse(options))).toContain(message);
});

it('the filter of an operation on many jobs knows no page, and only statuses to which the operation applies', () => {
  const bulk = (filter: object) => resolveJobBulk(filter, 'removeAll()', ['success', 'failed', 'cancelled']);
  expect(bulk({ status: 'failed', dryRun: true, tag: 'a' })).toEqual({
    status: ['failed'],
    dryRun: true,
    tag: 'a',
  });
  expect(configError(() => bulk({ status: ['failed', 'running'] }))).toBe(
    "status: 'running' is not valid. removeAll() applies to jobs with the status success, failed, cancelled only. Leave it out for all of these.",
  );
  expect(configError(() => bulk({ limit: 5 }))).toContain("removeAll(): unknown option 'limit'");
  expect(configError(() => bulk({ cursor: 'a' }))).toContain("unknown option 'cursor'");
  expect(configError(() => bulk({ dryRun: 1 }))).toBe('dryRun: 1 is not valid. It must be true or false.');
  expect(configError(() => bulk({ tags: ['a'] }))).toContain("Did you mean 'tag'?");
});

it('looks no further than the first hole of a list', () => {
  expect(configError(() => parse({ status: Array(4_294_967_295) }))).toContain('status: null is not valid.');
});

it('an operation on many jobs rejects what could select all jobs by mistake', () => {
  const bulk = (filter: object) => resolveJobBulk(filter, 'removeAll()', ['success', 'failed', 'cancelled']);
  expect(configError(() => bulk({ tag: undefined }))).toBe(
    'tag: undefined is not valid. removeAll() would apply to jobs with any tag. Leave it out for that.',
  );
  expect(configError(() => bulk({ finishedBefore: undefined }))).toContain('finishedBefore: undefined');
  expect(configError(() => bulk(new Date()))).toContain('It must be an object with some of: ');
});
