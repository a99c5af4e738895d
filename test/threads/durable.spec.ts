import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures, runFixture } from '../support/fixtures.js';

const out = compileFixtures(join(dirname(fileURLToPath(import.meta.url)), 'durable'), 'threads-durable');
let shown: Record<string, unknown>;

beforeAll(async () => {
  shown = await runFixture(join(out, 'app.js'));
});

it('a durable task in a thread does each step once, over a suspension and a retry', () => {
  expect(shown['fulfilled']).toEqual({
    status: 'success',
    error: null,
    result: {
      at: true,
      by: 'ada',
      labels: ['label o1/1 on 0', 'label o1/2 on 0'],
      sent: expect.any(String),
      seen: [1, 2, 3],
      attempt: 2,
    },
  });
  expect((shown['fulfilledBy'] as string[]).toSorted()).toEqual([
    'charge true 1',
    'label o1/1 on 0',
    'label o1/2 on 0',
    'label o1/3 on 0',
  ]);
  expect(shown['steps']).toEqual([
    'step charge done',
    'sleep rest done',
    'waitFor approval done',
    'call Labels.print#1 done',
    'call Labels.print#2 done',
    'submit Labels.print done',
    'each rows done',
  ]);
});

it('a suspended task frees its thread, which lives on', () => {
  expect(shown['freed']).toEqual([true, 'suspended']);
});

it('the code of a suspended task is told by its signal, and can make no further call', () => {
  expect(shown['aborted']).toEqual(['TaskSuspendedError', 'DurableTaskError']);
});

it('a task is suspended only when all steps beside its wait have ended', () => {
  expect(shown['beside']).toEqual(['one', 'two', 'three']);
  expect(shown['besideEnd']).toMatchObject([{ status: 'success' }, []]);
});

it('errors of durable calls reach the code in the thread with their class', () => {
  expect(shown['errors']).toMatchObject({ status: 'success', error: null });
  const { child, late, messages, again } = (shown['errors'] as { result: Record<string, unknown> }).result;
  expect([child, late, again]).toEqual([['no paper'], true, 3]);
  expect(messages).toEqual([
    expect.stringContaining('ctx.step() was called inside of a step'),
    expect.stringContaining("'nap' is still under way"),
    expect.stringContaining('The function helper is no task in the thread'),
    expect.stringContaining('maxRetries'),
    expect.stringContaining("The step 'slow' ran for longer than its timeout of 1 ms"),
  ]);
});

it('steps are undone in the thread, also of a job that is cancelled while it is suspended', () => {
  const undone = ['hotel', 'car', 'no car', 'no hotel'];
  expect(shown['throw']).toEqual([{ status: 'failed', result: null, error: 'Error: no flight' }, undone]);
  expect(shown['cancelled']).toEqual([
    { status: 'cancelled', result: null, error: 'changed my mind' },
    undone,
  ]);
});

it('another attempt undoes the steps of a task whose thread has died', () => {
  expect(shown['exit']).toEqual([
    { status: 'failed', result: null, error: expect.stringContaining('code: 3') },
    ['hotel', 'car', 'no car', 'no hotel'],
  ]);
  expect(shown['deaf']).toEqual([
    { status: 'cancelled', result: null, error: 'too slow' },
    ['hotel', 'no hotel'],
  ]);
});
