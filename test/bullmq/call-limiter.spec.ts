import { ExecutorNotRunningError } from '../../lib/index.js';
import { SharedTimeout } from '../../lib/engine/bullmq/server/shared-timeout.js';
import { CallLimiter, NotSentError } from '../../lib/engine/bullmq/server/call-limiter.js';
import { settle } from '../support/manual-clock.js';

/** Calls that the test answers. */
function calls() {
  const answers: ((value: number) => void)[] = [];
  const call = (): Promise<number> => new Promise((resolve) => answers.push(resolve));
  return { answers, call };
}

it('sends as many calls as its limit allows, and the next one after an answer', async () => {
  const limiter = new CallLimiter(2, new SharedTimeout(60_000));
  const { answers, call } = calls();
  const all = Array.from({ length: 5 }, () => limiter.run(call));
  expect(answers).toHaveLength(2);
  for (let n = 0; n < 5; n++) {
    answers[n]?.(n);
    await settle();
  }
  expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4]);
});

it('sends the next call after a failure', async () => {
  const limiter = new CallLimiter(1, new SharedTimeout(60_000));
  const failing = limiter.run(() => Promise.reject(new Error('no')));
  const next = limiter.run(async () => 7);
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe(7);
});

it('if one call times out, rejects all queued calls', async () => {
  const limiter = new CallLimiter(1, new SharedTimeout(20));
  const { answers, call } = calls();
  const sent = limiter.run(call);
  const waiting = limiter.run(call);
  await expect(sent).rejects.toThrow('no answer within 20 ms');
  await expect(waiting).rejects.toBeInstanceOf(NotSentError);
  expect(answers).toHaveLength(1);
});

it('when it is closed, sent calls go on, and queued calls are rejected', async () => {
  const limiter = new CallLimiter(1, new SharedTimeout(60_000));
  const { answers, call } = calls();
  const sent = limiter.run(call);
  const waiting = limiter.run(call);
  limiter.close();
  await expect(waiting).rejects.toBeInstanceOf(ExecutorNotRunningError);
  await expect(limiter.run(call)).rejects.toBeInstanceOf(ExecutorNotRunningError);
  answers[0]?.(1);
  expect(await sent).toBe(1);
  expect(answers).toHaveLength(1);
});
