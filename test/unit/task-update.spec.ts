import { linesAfter, taskUpdateOf, updateText } from '../../lib/job/task-update.js';
import type { JobState, LogLine } from '../../lib/job/job.js';

const log = (...numbers: number[]): LogLine[] =>
  numbers.map((number) => ({ at: number, attempt: 1, line: `line ${number}` }));

const STATE: JobState = {
  taskId: 'id',
  taskName: 'task',
  status: 'success',
  result: { at: new Date(0), big: 5n, map: new Map([['a', 1]]) },
  errors: [{ attempt: 1, name: 'Error', message: 'no', code: null, stack: 'at secret.ts', at: 0 }],
  reason: null,
  submittedAt: 0,
  startedAt: 1,
  finishedAt: 2,
  retries: 1,
  progress: undefined,
};

describe('the new lines of a log', () => {
  it.each([
    ['of an empty log that was not seen', [], [], []],
    ['that has just begun', [], log(1, 2), log(1, 2)],
    ['that has not changed', log(1, 2), log(1, 2), []],
    ['that has grown', log(1, 2), log(1, 2, 3, 4), log(3, 4)],
    ['whose first lines were dropped', log(1, 2, 3), log(3, 4, 5), log(4, 5)],
    ['all of whose lines were dropped', log(1, 2), log(7, 8), log(7, 8)],
    ['with repeated lines', log(1, 1), log(1, 1, 1), log(1)],
    ['that was removed', log(1), [], []],
  ])('%s', (_title, seen, now, expected) => {
    expect(linesAfter(seen, now)).toEqual(expected);
  });

  it('tells lines of different attempts and times apart', () => {
    const [line] = log(1) as [LogLine];
    for (const other of [
      { ...line, attempt: 2 },
      { ...line, at: 2 },
      { ...line, line: 'other' },
    ])
      expect(linesAfter([line], [other])).toEqual([other]);
  });
});

it('an update is plain JSON without stacks, and no two updates share an object', () => {
  const text = updateText(STATE);
  const update = taskUpdateOf(text, log(5));
  expect(JSON.parse(JSON.stringify(update))).toEqual(update);
  expect(update).toMatchObject({
    result: { at: '1970-01-01T00:00:00.000Z', big: '5' },
    progress: null,
    errors: [{ attempt: 1, message: 'no', at: '1970-01-01T00:00:00.000Z' }],
    logs: [{ at: '1970-01-01T00:00:00.005Z', attempt: 1, line: 'line 5' }],
  });
  expect(JSON.stringify(update)).not.toContain('secret');
  expect(taskUpdateOf(text, []).result).not.toBe(update.result);
});

it('a task that returns nothing has the result null', () => {
  expect(taskUpdateOf(updateText({ ...STATE, result: undefined }), []).result).toBeNull();
});
