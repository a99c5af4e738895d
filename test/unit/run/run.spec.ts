import { jest } from '@jest/globals';
import { ExecutorStoppingError } from '../../../lib/job/errors.js';
import type { Outcome } from '../../../lib/job/outcome.js';
import { Run } from '../../../lib/run/run.js';
import { Gate } from '../../support/gate.js';
import { settle } from '../../support/manual-clock.js';
import { attemptOf, partsOf, started } from '../../support/run-parts.js';

const RELEASED: Outcome = { kind: 'released', delay: 0 };
const never = (): Promise<never> => new Promise(() => undefined);

describe('the outcome of a call', () => {
  it('is known before start() returns, for synchronous code', () => {
    const parts = partsOf(() => 3);
    const { ended } = started(parts);
    expect(ended.mock.calls).toEqual([[{ kind: 'success', result: 3 }]]);
    expect(parts.events).toEqual(['started']);
  });

  it('is a success when a promise is fulfilled, and a failure when it is rejected', async () => {
    const fulfilled = started(partsOf(async () => 'done'));
    const rejected = started(partsOf(() => Promise.reject(new Error('no'))));
    await settle();
    expect(fulfilled.ended.mock.calls).toEqual([[{ kind: 'success', result: 'done' }]]);
    expect(rejected.ended.mock.calls).toMatchObject([
      [{ kind: 'failed', error: { message: 'no', attempt: 1 } }],
    ]);
    expect(rejected.run.thrown?.error).toEqual(new Error('no'));
  });

  it('is a retry, as long as the policy has retries', () => {
    const parts = partsOf(
      () => {
        throw new Error('no');
      },
      { maxRetries: 2, retryDelay: 700 },
    );
    const outcomes = [0, 1, 2].map(
      (retries) => started(parts, attemptOf({ retries })).ended.mock.calls[0]?.[0],
    );
    expect(outcomes).toMatchObject([{ kind: 'retry', delay: 700 }, { kind: 'retry' }, { kind: 'failed' }]);
  });

  it('is a failure for arguments that cannot be read, and for a result that cannot be stored', () => {
    const args = (): never => {
      throw new Error('unreadable');
    };
    const unread = started(
      partsOf(() => 1, { maxRetries: 5 }),
      attemptOf({ args }),
    );
    const unstored = started(partsOf(() => () => 1, { maxRetries: 5 }));
    expect(unread.ended.mock.calls).toMatchObject([[{ kind: 'failed', error: { message: 'unreadable' } }]]);
    expect(unstored.ended.mock.calls).toMatchObject([[{ kind: 'failed' }]]);
  });

  it('counts once, from a promise of a class of its own that settles twice', () => {
    class Twice extends Promise<number> {
      override then(...[done]: Parameters<Promise<number>['then']>): never {
        done?.(1);
        done?.(2);
        throw new Error('thrown after all');
      }
    }
    const { ended } = started(partsOf(() => new Twice(() => undefined)));
    expect(ended.mock.calls).toEqual([[{ kind: 'success', result: 1 }]]);
  });
});

describe('before the code is called', () => {
  it('a task that is not known here is deferred', () => {
    const { ended } = started(
      partsOf(() => 1),
      attemptOf({ taskName: 'other' }),
    );
    expect(ended.mock.calls).toEqual([[{ kind: 'released', delay: 5_000 }]]);
  });

  it('a name that no task can have fails', () => {
    const { ended } = started(
      partsOf(() => 1),
      attemptOf({ taskName: 'a\nb' }),
    );
    expect(ended.mock.calls).toMatchObject([[{ kind: 'failed', error: { code: 'FLOWRRA_PAYLOAD' } }]]);
  });

  it.each([
    ['has expired', { expires: 1_000 }, { submittedAt: 1_699_999_999_000 }, { kind: 'cancelled' }],
    ['was lost too often', {}, { lost: true }, { kind: 'failed', error: { code: 'FLOWRRA_TASK_LOST' } }],
  ])('a job that %s ends without a call', (_why, policy, values, outcome) => {
    const code = jest.fn();
    const parts = partsOf(code, policy);
    const { ended } = started(parts, attemptOf(values));
    expect(ended.mock.calls).toMatchObject([[outcome]]);
    expect(code).not.toHaveBeenCalled();
    expect(parts.events).toEqual([]);
  });

  it('a job that an operator has retried does not expire', () => {
    const error = { attempt: 1, name: 'Error', message: 'no', code: null, stack: null, at: 0 };
    const { ended } = started(
      partsOf(() => 1, { expires: 1 }),
      attemptOf({ submittedAt: 0, errors: [error] }),
    );
    expect(ended.mock.calls).toEqual([[{ kind: 'success', result: 1 }]]);
  });

  it('a cancellation or a release decides the outcome', () => {
    const [cancelled, abandoned] = [
      new Run(attemptOf(), partsOf(never)),
      new Run(attemptOf(), partsOf(never)),
    ];
    const ended = jest.fn<(outcome: Outcome) => void>();
    cancelled.cancel('enough');
    cancelled.start(ended);
    abandoned.abandon();
    abandoned.start(ended);
    expect(ended.mock.calls).toEqual([[{ kind: 'cancelled', reason: 'enough' }], [RELEASED]]);
  });
});

describe('an end before the code has ended', () => {
  it('a cancelled attempt ends as cancelled when its code ends, whatever that answers', async () => {
    const gate = new Gate<string>();
    const parts = partsOf(() => gate.passed);
    const { run, ended } = started(parts);
    run.cancel('enough');
    run.cancel('again');
    expect(run.signal.reason).toMatchObject({ code: 'FLOWRRA_CANCELLED', message: 'enough' });
    gate.open('done all the same');
    await settle();
    expect(ended.mock.calls).toEqual([[{ kind: 'cancelled', reason: 'enough' }]]);
    expect(parts.clock.armed).toBe(0);
  });

  it('a cancelled attempt whose code does not end is over after its killGrace', async () => {
    const gate = new Gate<string>();
    const parts = partsOf(() => gate.passed);
    const { run, ended } = started(parts);
    run.cancel('enough');
    await parts.clock.advance(4_999);
    expect(ended).not.toHaveBeenCalled();
    await parts.clock.advance(1);
    gate.open('too late');
    await settle();
    expect(ended.mock.calls).toEqual([[{ kind: 'cancelled', reason: 'enough' }]]);
  });

  it('a time-out aborts the signal; a result within the grace counts', async () => {
    const gate = new Gate<string>();
    const parts = partsOf(() => gate.passed, { timeout: 1_000 });
    const { run, ended } = started(parts);
    await parts.clock.advance(1_000);
    expect(run.signal.reason).toMatchObject({ code: 'FLOWRRA_RUN_TIMEOUT' });
    gate.open('done');
    await settle();
    expect(ended.mock.calls).toEqual([[{ kind: 'success', result: 'done' }]]);
    expect(parts.clock.armed).toBe(0);
  });

  it('a time-out fails the attempt after the grace, or with the error that the code throws within it', async () => {
    const slow = partsOf(never, { timeout: 1_000, maxRetries: 1 });
    const obedient = partsOf(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
      { timeout: 1_000 },
    );
    const runs = [started(slow), started(obedient)];
    await slow.clock.advance(6_000);
    await obedient.clock.advance(1_000);
    expect(runs.map(({ ended }) => ended.mock.calls[0]?.[0])).toMatchObject([
      { kind: 'retry', error: { code: 'FLOWRRA_RUN_TIMEOUT' } },
      { kind: 'failed', error: { code: 'FLOWRRA_RUN_TIMEOUT' } },
    ]);
    expect(runs[1]?.run.thrown?.error).toMatchObject({ cause: new Error('stopped') });
  });

  it('of a time-out and a cancellation, the grace of the first one counts', async () => {
    const parts = partsOf(never, { timeout: 1_000 });
    const { run, ended } = started(parts);
    await parts.clock.advance(3_000);
    run.cancel('enough');
    await parts.clock.advance(3_000);
    expect(ended.mock.calls).toEqual([[{ kind: 'cancelled', reason: 'enough' }]]);
  });

  it.each(['stop', 'lose'] as const)('%s() releases the job when its code throws', async (how) => {
    const gate = new Gate();
    const { run, ended } = started(partsOf(() => gate.passed));
    if (how === 'stop') run.stop(new ExecutorStoppingError('the end'));
    else run.lose();
    expect(run.isLost).toBe(how === 'lose');
    gate.fail(new Error('interrupted'));
    await settle();
    expect(ended.mock.calls).toEqual([[RELEASED]]);
  });

  it('an abandoned attempt is released at once, and its code answers in vain', async () => {
    const gate = new Gate<string>();
    const { run, ended } = started(partsOf(() => gate.passed));
    run.abandon();
    gate.open('too late');
    run.cancel('too late');
    await settle();
    expect(ended.mock.calls).toEqual([[RELEASED]]);
    expect(run.aborted).toBe(false);
  });
});

describe('before the engine hears of the outcome', () => {
  it('reports are stored, and later ones ignored', async () => {
    const reported: unknown[] = [];
    const parts = partsOf((call) => {
      call.progress(0.5);
      call.log('half');
      return 1;
    });
    const report = async (_attempt: unknown, given: unknown): Promise<void> => void reported.push(given);
    const { run, ended } = started({ ...parts, reports: { ...parts.reports, control: { report } } });
    expect(ended).not.toHaveBeenCalled();
    await settle();
    run.progress(1);
    expect(ended).toHaveBeenCalledTimes(1);
    expect(reported).toMatchObject([{ progress: 0.5 }, { lines: [{ line: 'half' }] }]);
    expect(parts.events).toEqual(['started', 'progress', 'log']);
  });

  it('a failed job is sent to its dead letter task; if it cannot be sent, the job is released', async () => {
    const fail = (): never => {
      throw new Error('no');
    };
    const outcomes: unknown[] = [];
    for (const sent of [true, false]) {
      const send = jest.fn(async () => sent);
      const parts = partsOf(fail, { deadLetter: 'letters' }, { deadLetters: { send } });
      const { ended } = started(parts);
      await settle();
      expect(send).toHaveBeenCalledWith('letters', expect.anything(), expect.anything(), expect.anything());
      outcomes.push(ended.mock.calls[0]?.[0]);
    }
    expect(outcomes).toMatchObject([{ kind: 'failed' }, RELEASED]);
  });

  it('a cancelled job does not wait for its dead letter longer than its killGrace', async () => {
    const fail = (): never => {
      throw new Error('no');
    };
    const parts = partsOf(fail, { deadLetter: 'letters' }, { deadLetters: { send: never } });
    const { run, ended } = started(parts);
    run.cancel('enough');
    await parts.clock.advance(5_000);
    expect(ended.mock.calls).toEqual([[{ kind: 'cancelled', reason: 'enough' }]]);
  });

  it("a backend's result is stored", async () => {
    const stored = new Gate();
    const recorder = { started: jest.fn(), ended: jest.fn(() => stored.passed) } as never;
    const { ended } = started(partsOf(() => 1, {}, { recorder }));
    await settle();
    expect(ended).not.toHaveBeenCalled();
    stored.open();
    await settle();
    expect(ended.mock.calls).toEqual([[{ kind: 'success', result: 1 }]]);
  });

  it('an instrumentation sees the call and its outcome, once', async () => {
    const seen: unknown[] = [];
    const span = {
      within: <R>(call: () => R): R => {
        seen.push('within');
        return call();
      },
      ended: (outcome: Outcome) => void seen.push(outcome.kind),
    };
    const instrumentation = { attempt: () => span } as never;
    const { run } = started(partsOf(never, {}, { instrumentation }));
    run.abandon();
    run.abandon();
    expect(seen).toEqual(['within', 'released']);
  });
});
