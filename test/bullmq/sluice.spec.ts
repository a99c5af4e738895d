import { ExecutorNotRunningError } from '../../lib/index.js';
import { Patience } from '../../lib/engine/bullmq/server/io-time.js';
import { NotSentError, Sluice } from '../../lib/engine/bullmq/server/call-limiter.js';
import { settle } from '../support/manual-clock.js';

/** Calls that the test answers. */
function calls() {
  const answers: ((value: number) => void)[] = [];
  const call = (): Promise<number> => new Promise((resolve) => answers.push(resolve));
  return { answers, call };
}

it('has so many calls under way, and sends the next when one is answered', async () => {
  const sluice = new Sluice(2, new Patience(60_000));
  const { answers, call } = calls();
  const all = Array.from({ length: 5 }, () => sluice.run(call));
  expect(answers).toHaveLength(2);
  for (let n = 0; n < 5; n++) {
    answers[n]?.(n);
    await settle();
  }
  expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4]);
});

it('a call that fails makes room as well', async () => {
  const sluice = new Sluice(1, new Patience(60_000));
  const failing = sluice.run(() => Promise.reject(new Error('no')));
  const next = sluice.run(async () => 7);
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe(7);
});

it('when the server is silent, those that wait are refused with those that were sent', async () => {
  const sluice = new Sluice(1, new Patience(20));
  const { answers, call } = calls();
  const sent = sluice.run(call);
  const waiting = sluice.run(call);
  await expect(sent).rejects.toThrow('no answer within 20 ms');
  await expect(waiting).rejects.toBeInstanceOf(NotSentError);
  expect(answers).toHaveLength(1);
});

it('when it is closed, those under way get their answers, and those that wait are refused', async () => {
  const sluice = new Sluice(1, new Patience(60_000));
  const { answers, call } = calls();
  const sent = sluice.run(call);
  const waiting = sluice.run(call);
  sluice.close();
  await expect(waiting).rejects.toBeInstanceOf(ExecutorNotRunningError);
  await expect(sluice.run(call)).rejects.toBeInstanceOf(ExecutorNotRunningError);
  answers[0]?.(1);
  expect(await sent).toBe(1);
  expect(answers).toHaveLength(1);
});
