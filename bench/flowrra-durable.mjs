import { statSync } from 'node:fs';
import { Task, TaskContext, TaskCtx } from '../dist/index.js';
import { enginePlace } from './engine-place.mjs';
import { percentile } from './rate.mjs';

const IN_FLIGHT = 64;
const SUSPENDED = 10_000;

/** When the method of a job has gone on, by its id. */
const resumed = new Map();

class Flows {
  async steps(count, ctx) {
    for (let n = 0; n < count; n++) await ctx.step(`step ${n}`, () => n);
  }

  async waits(ctx) {
    await ctx.waitFor('go');
    resumed.get(ctx.taskId)?.(performance.now());
  }
}

function task(method, contextIndex) {
  const types = Array.from({ length: contextIndex + 1 }, (_, n) =>
    n === contextIndex ? TaskContext : Object,
  );
  Reflect.defineMetadata('design:paramtypes', types, Flows.prototype, method);
  TaskCtx()(Flows.prototype, method, contextIndex);
  Task()(Flows.prototype, method, Object.getOwnPropertyDescriptor(Flows.prototype, method));
}
task('steps', 1);
task('waits', 0);

/** Steps a second with 64 jobs in flight; the time from a signal until the method goes on; bytes of suspended jobs. */
export default async function durable({ kind, steps, signals, folder }) {
  const place = await enginePlace(kind, folder);
  const { app, flowrra } = await place.start({ providers: [Flows], numWorkers: IN_FLIGHT });
  await flowrra.waitForResult(await flowrra.submit('Flows.steps', Math.ceil(steps / 2)));
  const started = performance.now();
  const ids = await flowrra.submitMany(
    'Flows.steps',
    Array.from({ length: IN_FLIGHT }, () => [steps]),
  );
  await Promise.all(ids.map((id) => flowrra.waitForResult(id)));
  const rate = (1_000 * IN_FLIGHT * steps) / (performance.now() - started);

  const times = [];
  for (let n = 0; n < signals; n++) {
    const id = await suspended(flowrra);
    const goesOn = new Promise((resolve) => resumed.set(id, resolve));
    const sent = performance.now();
    await flowrra.signal(id, 'go');
    times.push((await goesOn) - sent);
    resumed.delete(id);
  }
  const bytes = kind === 'sqlite' ? await bytesOfSuspended(flowrra, place.file) : 0;
  await app.close();
  await place.stop();
  return { rate, resume: percentile(times, 0.5), bytes };
}

/** The id of a job that waits for its signal. */
async function suspended(flowrra) {
  const seen = new Set();
  let wanted = null;
  const found = new Promise((resolve) => {
    const subscription = flowrra.events$.subscribe(({ type, taskId }) => {
      if (type !== 'suspended') return;
      seen.add(taskId);
      if (taskId === wanted) resolve(subscription.unsubscribe());
    });
  });
  wanted = await flowrra.submit('Flows.waits');
  if (!seen.has(wanted)) await found;
  return wanted;
}

async function bytesOfSuspended(flowrra, file) {
  const size = () => statSync(file).size;
  const before = size();
  const all = withResolvers();
  let count = 0;
  const subscription = flowrra.events$.subscribe(({ type }) => {
    if (type === 'suspended' && ++count === SUSPENDED) all.resolve();
  });
  for (let n = 0; n < SUSPENDED; n += 1_000)
    await flowrra.submitMany(
      'Flows.waits',
      Array.from({ length: 1_000 }, () => []),
    );
  await all.promise;
  subscription.unsubscribe();
  return (size() - before) / SUSPENDED;
}

function withResolvers() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}
