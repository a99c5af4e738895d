import { randomUUID } from 'node:crypto';
import async from 'async';
import fastq from 'fastq';
import PQueue from 'p-queue';
import { start } from './nest-app.mjs';

let count = 0;
const work = async (n) => {
  count += n;
};

/** Settles when `jobs` have run since the last call. */
function drained(jobs, submit) {
  return new Promise((resolve) => {
    let left = jobs;
    submit(() => --left === 0 && resolve());
  });
}

/** Heap for jobs that wait behind held workers. */
async function pendingBytes(jobs, heap, submitHeld, release) {
  const before = heap();
  const pending = submitHeld(jobs);
  const bytes = (heap() - before) / jobs;
  release();
  await pending;
  return bytes;
}

const gate = () => {
  let open;
  const passed = new Promise((resolve) => (open = resolve));
  return { passed, open };
};

async function flowrra() {
  const { app, flowrra } = await start();
  const held = gate();
  flowrra.register({ name: 'work' }, work);
  flowrra.register({ name: 'hold' }, () => held.passed);
  const task = work;
  return {
    async run(jobs) {
      let last;
      for (let n = 0; n < jobs; n++) last = flowrra.submit(task, 1);
      await flowrra.waitForResult(await last);
    },
    async pendingBytes(jobs, heap) {
      for (let n = 0; n < 4; n++) void flowrra.submit('hold');
      await new Promise((resolve) => setImmediate(resolve));
      const before = heap();
      let last;
      for (let n = 0; n < jobs; n++) last = flowrra.submit(task, 1);
      const id = await last;
      const bytes = (heap() - before) / jobs;
      held.open();
      await flowrra.waitForResult(id);
      return bytes;
    },
    close: () => app.close(),
  };
}

async function fastqPromise() {
  const queue = fastq.promise((n) => work(n), 4);
  return {
    run: (jobs) =>
      drained(jobs, (done) => {
        for (let n = 0; n < jobs; n++) void queue.push(1).then(done);
      }),
    pendingBytes(jobs, heap) {
      queue.pause();
      return pendingBytes(
        jobs,
        heap,
        (jobs) =>
          drained(jobs, (done) => {
            for (let n = 0; n < jobs; n++) void queue.push(1).then(done);
          }),
        () => queue.resume(),
      );
    },
    close() {},
  };
}

function asyncQueue(make, push) {
  return async () => {
    const queue = make();
    const submit = (jobs) =>
      drained(jobs, (done) => {
        for (let n = 0; n < jobs; n++) void push(queue, 1).then(done);
      });
    return {
      run: submit,
      pendingBytes(jobs, heap) {
        queue.pause();
        return pendingBytes(jobs, heap, submit, () => queue.resume());
      },
      close() {},
    };
  };
}

async function pQueue() {
  const queue = new PQueue({ concurrency: 4 });
  const submit = (jobs) =>
    drained(jobs, (done) => {
      for (let n = 0; n < jobs; n++) void queue.add(() => work(1)).then(done);
    });
  return {
    run: submit,
    pendingBytes(jobs, heap) {
      queue.pause();
      return pendingBytes(jobs, heap, submit, () => queue.start());
    },
    close() {},
  };
}

/** No queue at all: an id and a result object for each job, which is the least that keeping results costs. */
async function bareMap() {
  const results = new Map();
  const run = async (jobs) => {
    results.clear();
    for (let n = 0; n < jobs; n++) {
      const id = randomUUID();
      results.set(id, { id, status: 'success', submittedAt: Date.now(), result: await work(1) });
    }
  };
  return {
    run,
    async pendingBytes(jobs, heap) {
      results.clear();
      const before = heap();
      await run(jobs);
      return (heap() - before) / jobs;
    },
    close() {},
  };
}

export const rivals = {
  flowrra,
  fastq: fastqPromise,
  'async.queue': asyncQueue(
    () => async.queue(work, 4),
    (queue, n) => queue.pushAsync(n),
  ),
  'async.priorityQueue': asyncQueue(
    () => async.priorityQueue(work, 4),
    (queue, n) => queue.pushAsync(n, 0),
  ),
  'p-queue': pQueue,
  'bare-map': bareMap,
};
