import { Logger } from '@nestjs/common';
import { enginePlace } from './engine-place.mjs';

const BATCH = 1_000;
const IN_FLIGHT = 100;

/** Measures an operation: seconds, and the longest time in milliseconds for which it held the loop or the server. */
async function measure(ask, expected, operation) {
  let [held, running] = [0, true];
  const turns = (async () => {
    for (let last = performance.now(); running;) {
      await new Promise(setImmediate);
      const now = performance.now();
      held = Math.max(held, now - last);
      last = now;
    }
  })();
  const asks = (async () => {
    while (running) {
      const asked = performance.now();
      await ask();
      held = Math.max(held, performance.now() - asked);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  const started = performance.now();
  const count = await operation();
  const seconds = (performance.now() - started) / 1_000;
  running = false;
  await Promise.all([turns, asks]);
  if (count !== expected) throw new Error(`${count} jobs were changed instead of ${expected}.`);
  return { seconds, held };
}

/**
 * Seconds of each operation on all jobs and on those with a tag, and its longest hold. `failed` is the number of jobs
 * for `retryAll`: a worker has to run them before.
 */
export default async function bulk({ kind, jobs, failed, folder }) {
  Logger.overrideLogger(false);
  const place = await enginePlace(kind, folder);
  const client = await place.client();
  const { app, flowrra } = await place.start({ numWorkers: IN_FLIGHT, maxResults: 10 * jobs });
  flowrra.register({ name: 'task', tags: ['tagged'], maxRetries: 0 }, () => {
    throw new Error('no');
  });
  await flowrra.queues.pause('default');

  async function submit(count) {
    for (let from = 0; from < count; from += BATCH)
      await flowrra.submitMany(
        'task',
        Array.from({ length: Math.min(BATCH, count - from) }, (_, n) => [from + n]),
      );
  }

  /** Runs the jobs that wait, all of which fail. */
  async function fail(count) {
    let left = count;
    const ended = new Promise((resolve) => {
      const subscription = flowrra.events$.subscribe(({ type }) => {
        if (type === 'failed' && --left === 0) resolve(subscription.unsubscribe());
      });
    });
    await flowrra.queues.resume('default');
    await ended;
    await flowrra.queues.pause('default');
  }

  const found = {};
  async function run(name, count, operation) {
    const { seconds, held } = await measure(client.ask, count, operation);
    found[name] = seconds;
    found[`${name} held`] = held;
  }

  for (const [end, filter] of [
    ['', {}],
    [' with a tag', { tag: 'tagged' }],
  ]) {
    await submit(jobs);
    await run(`cancelAll${end}`, jobs, () => flowrra.jobs.cancelAll(filter));
    await run(`removeAll${end}`, jobs, () => flowrra.jobs.removeAll(filter));
  }
  await submit(failed);
  for (const [end, filter] of [
    ['', {}],
    [' with a tag', { tag: 'tagged' }],
  ]) {
    await fail(failed);
    await run(`retryAll${end}`, failed, () => flowrra.jobs.retryAll(filter));
  }
  await flowrra.jobs.cancelAll();
  await client.close();
  await app.close();
  await place.stop();
  return found;
}
