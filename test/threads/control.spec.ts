import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures, runFixture } from '../support/fixtures.js';

const out = compileFixtures(join(dirname(fileURLToPath(import.meta.url)), 'control'), 'threads-control');

it('progress and log lines of a thread arrive, and a cancelled job ends, with its thread if necessary', async () => {
  const answers = (await runFixture(join(out, 'app.js'))) as Record<
    string,
    { taskId: string; lines: string[] }
  >;
  expect(answers['deep']).toMatchObject({
    result: { taskId: answers['deep']?.taskId, tenant: 'ada', priority: 3 },
    lines: ['from deep below'],
  });
  // Nothing is lost on the way, though the answer takes another one.
  expect(answers['chatty']).toMatchObject({ status: 'success', progress: 1 });
  expect(answers['chatty']?.lines).toEqual(Array.from({ length: 200 }, (_, n) => `line ${n + 801}`));
  expect(answers['unfit']).toMatchObject({
    status: 'failed',
    error: expect.stringMatching(/PayloadError: progress\.callback: a function/),
  });
  const cancelled = { status: 'cancelled', error: 'no longer wanted', while: ['running', 'looping'] };
  expect(answers['polite']).toMatchObject({ ...cancelled, lines: ['stopped by no longer wanted'] });
  expect(answers['deaf']).toMatchObject(cancelled);
  expect(answers['after']).toMatchObject({ status: 'success', result: 'said' });
});
