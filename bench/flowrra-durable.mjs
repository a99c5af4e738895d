import { setTimeout as sleep } from 'node:timers/promises';
import { Task, TaskContext, TaskCtx } from '../dist/index.js';
import { enginePlace } from './engine-place.mjs';
import { percentile } from './rate.mjs';

const IN_FLIGHT = 64;
const IDLE_MS = 10_000;

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

  child(n) {
    return n;
  }

  async parent(count, ctx) {
    const keys = Array.from({ length: count }, (_, n) => n);
    await Promise.all(keys.map((n) => ctx.with({ key: `${n}` }).call('Flows.child', n)));
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
task('parent', 1);
Task()(Flows.prototype, 'child', Object.getOwnPropertyDescriptor(Flows.prototype, 'child'));

/**
 * Steps a second with 64 jobs in flight; the time from a signal until the method goes on; the bytes of a suspended job
 * in the file, and the CPU time of the process while all jobs are suspended; the time per child job of one parent.
 */
export default async function durable({ kind, steps, signals, suspendedJobs, children, folder }) {
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
  const childTimes = await timesOfChildren(flowrra, children);
  const before = place.size();
  await suspendAll(flowrra, suspendedJobs);
  const bytes = (place.size() - before) / suspendedJobs;
  const idle = await idleCpu();
  await app.close();
  await place.stop();
  return { rate, resume: percentile(times, 0.5), bytes, idle, ...childTimes };
}

/** Microseconds per child of a parent with few and with many child jobs; 0 if they are not measured. */
async function timesOfChildren(flowrra, children) {
  if (children === null) return { few: 0, many: 0 };
  const time = async (count) => {
    const started = performance.now();
    await flowrra.waitForResult(await flowrra.submit('Flows.parent', count));
    return (1_000 * (performance.now() - started)) / count;
  };
  await time(children.few);
  return { few: await time(children.few), many: await time(children.many) };
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

async function suspendAll(flowrra, jobs) {
  const all = withResolvers();
  let count = 0;
  const subscription = flowrra.events$.subscribe(({ type }) => {
    if (type === 'suspended' && ++count === jobs) all.resolve();
  });
  for (let n = 0; n < jobs; n += 1_000)
    await flowrra.submitMany(
      'Flows.waits',
      Array.from({ length: Math.min(1_000, jobs - n) }, () => []),
    );
  await all.promise;
  subscription.unsubscribe();
}

/** The CPU time of this process while it has nothing to do, in per cent of a core. */
async function idleCpu() {
  // The last writes and the collection of their garbage belong to the work before.
  await sleep(1_000);
  globalThis.gc?.();
  const before = process.cpuUsage();
  const started = performance.now();
  await sleep(IDLE_MS);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 10 / (performance.now() - started);
}

function withResolvers() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}
