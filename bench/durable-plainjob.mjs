import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { better, defineQueue, defineWorker } from 'plainjob';
import { rate } from './rate.mjs';

const PAYLOAD = { to: 'ada@example.com', name: 'Ada' };
const SILENT = { error() {}, warn() {}, info() {}, debug() {} };

/** plainjob as it ships: synchronous=NORMAL. Its calls are synchronous, so several at once are one by one. */
export default async function plainjob({ jobs, folder }) {
  const own = mkdtempSync(join(folder, 'plainjob-'));
  const open = (name) => defineQueue({ connection: better(new Database(join(own, name))), logger: SILENT });
  try {
    const submitting = open('submit.db');
    const single = await rate(jobs, () => {
      for (let n = 0; n < jobs; n++) submitting.add('work', PAYLOAD);
    });
    const thousand = Array.from({ length: 1_000 }, () => PAYLOAD);
    const bulk = await rate(jobs, () => {
      for (let n = 0; n < jobs; n += 1_000) submitting.addMany('work', thousand);
    });
    submitting.close();
    return {
      single,
      flight64: single,
      flight1000: single,
      bulk,
      process: await processing(open, jobs, thousand),
    };
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

async function processing(open, jobs, thousand) {
  const queue = open('process.db');
  for (let n = 0; n < jobs; n += 1_000) queue.addMany('work', thousand);
  let left = jobs;
  let worker;
  const found = await rate(
    jobs,
    () =>
      new Promise((resolve) => {
        worker = defineWorker('work', async () => {}, {
          queue,
          logger: SILENT,
          pollIntervall: 1,
          onCompleted: () => --left === 0 && resolve(),
        });
        void worker.start();
      }),
  );
  await worker.stop();
  queue.close();
  return found;
}
