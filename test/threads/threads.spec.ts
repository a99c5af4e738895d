import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures, runFixture } from '../support/fixtures.js';

interface Answer {
  status: string;
  result: unknown;
  error: string | null;
  code: string | null;
  retries: number;
}

const here = dirname(fileURLToPath(import.meta.url));
const out = compileFixtures(join(here, 'fixtures'), 'threads');

async function ask(...requests: [string, ...unknown[]][]): Promise<Record<string, Answer>> {
  return runFixture(join(out, 'app.js'), [JSON.stringify(requests)]);
}

it('runs a CPU-bound task in a thread, which does not keep the process running', async () => {
  const answers = await ask(
    ['where'],
    ['later', { a: [1] }],
    ['observable'],
    ['count'],
    ['count'],
    ['context', 'hi'],
  );
  expect(answers['where']?.result).toBeGreaterThan(0);
  expect(answers['mainThread']).toBe(0);
  expect(answers['later [object Object]']?.result).toEqual({ a: [1] });
  expect(answers['observable']?.result).toBe(3);
  expect(answers['count']?.result).toBe(2);
  expect(answers['context hi']?.result).toEqual({
    word: 'hi',
    taskId: expect.any(String),
    taskName: 'Work.context',
    attempt: 1,
    aborted: false,
  });
  expect(answers['rich']).toEqual([true, true, true, true, true]);
});

it('brings errors back, and those that steer the job steer it', async () => {
  const answers = await ask(
    ...['undefined', 'null', 'object', 'function', 'fatal', 'retry', 'snooze', 'coded'].map(
      (what): [string, string] => ['throws', what],
    ),
  );
  expect(answers['throws undefined']?.error).toBe(
    'NonError: The task threw undefined, which is not an Error.',
  );
  expect(answers['throws null']?.error).toBe('NonError: The task threw null, which is not an Error.');
  expect(answers['throws object']).toMatchObject({
    error: 'NonError: The task threw {"code":5}, which is not an Error.',
    code: '5',
  });
  expect(answers['throws function']?.error).toMatch(/NonError: The task threw .*Function/);
  expect(answers['throws fatal']).toMatchObject({
    status: 'failed',
    error: 'FatalTaskError: for good',
    code: 'FLOWRRA_FATAL',
  });
  expect(answers['throws retry']).toMatchObject({ status: 'failed', error: 'RetryTaskError: once more' });
  expect(answers['throws snooze']).toMatchObject({ status: 'success', retries: 0 });
  expect(answers['throws coded']).toMatchObject({
    status: 'failed',
    error: 'RangeError: too far',
    code: 'E_FAR',
  });
});

it('explains a result that cannot leave the thread, which lives on', async () => {
  const answers = await ask(['unfit', 'function'], ['unfit', 'getter'], ['count']);
  expect(answers['unfit function']).toMatchObject({ status: 'failed', retries: 0, code: 'FLOWRRA_PAYLOAD' });
  expect(answers['unfit function']?.error).toContain('result.callback: a function');
  expect(answers['unfit getter']?.error).toContain('result.value');
  expect(answers['count']?.result).toBe(1);
});

it('contains the death of a thread, and replaces it', async () => {
  const answers = await ask(['exits'], ['where'], ['throwsLater'], ['count'], ['eatsMemory'], ['later', 1]);
  expect(answers['exits']).toMatchObject({
    status: 'failed',
    code: 'FLOWRRA_THREAD',
    error: expect.stringContaining('code: 3'),
  });
  expect(answers['throwsLater']).toMatchObject({
    status: 'failed',
    code: 'FLOWRRA_THREAD',
    error: expect.stringContaining('out of nowhere'),
  });
  expect(answers['eatsMemory']).toMatchObject({
    status: 'failed',
    code: 'FLOWRRA_THREAD',
    error: expect.stringContaining('memory'),
  });
  expect(answers['where']?.status).toBe('success');
  expect(answers['count']?.result).toBe(1);
  expect(answers['later 1']?.result).toBe(1);
});

it('an unhandled rejection ends a thread, and on the main thread the process', async () => {
  const answers = await ask(['rejectsUnheard'], ['later', 1]);
  expect(answers['rejectsUnheard']).toMatchObject({
    status: 'failed',
    code: 'FLOWRRA_THREAD',
    error: expect.stringContaining('nobody awaits this'),
  });
  expect(answers['later 1']?.result).toBe(1);
  await expect(runFixture(join(out, 'rejecting.js'))).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('nobody awaits this'),
  });
});

it('aborts a task after its time-out, and ends its thread if it does not stop', async () => {
  const answers = await ask(['politeLoop'], ['politeWait'], ['deafLoop'], ['count']);
  expect(answers['politeLoop']).toMatchObject({
    status: 'success',
    result: 'stopped by TaskRunTimeoutError',
  });
  expect(answers['politeWait']).toMatchObject({
    status: 'success',
    result: 'stopped by TaskRunTimeoutError',
  });
  expect(answers['deafLoop']).toMatchObject({ status: 'failed', code: 'FLOWRRA_RUN_TIMEOUT' });
  expect(answers['count']?.result).toBe(1);
});

it('injects the providers of the module in a thread, and submits from it', async () => {
  const answers = await runFixture(join(out, 'injected.js'));
  expect(answers).toMatchObject({ followUp: 'hello from thread 0', fresh: true, error: null });
  expect(answers['gross']).toEqual([120, expect.any(Number)]);
  expect(answers['gross']?.[1]).toBeGreaterThan(0);
  expect(answers['wrong']).toContain("No task is called 'No.such'");
});

it('rejects a task in the entry file, and suggests two alternatives', async () => {
  const { message } = await runFixture(join(out, 'entry.js'));
  expect(message).toContain('InEntry.work');
  expect(message).toContain('Move the code of the threads into another file.');
  expect(message).toContain("cpu: { module: join(__dirname, 'cpu.module.js') }");
  expect(message).toContain("new URL('./cpu.module.js', import.meta.url) in ES modules");
});

it('runs a registered function, and rejects a name that its file does not export', async () => {
  const { sum, missing } = await runFixture(join(out, 'function.js'));
  expect(sum).toBe(328_350);
  expect(missing).toContain("exports no function 'cube'");
});
