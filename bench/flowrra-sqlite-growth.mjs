import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sqlite } from '../dist/engine/sqlite/index.js';
import { start } from './nest-app.mjs';

const calls = (jobs) => Array.from({ length: jobs }, () => [{ to: 'ada@example.com', name: 'Ada' }]);
const handles = () => readdirSync('/proc/self/fd').length;

/** Microseconds a job, for the next `jobs` of a file in which `backlog` wait. */
async function timePerJob(file, backlog, jobs) {
  const { app, flowrra } = await start({
    engine: sqlite({ file }),
    remoteTasks: { work: {} },
    role: 'producer',
  });
  for (let left = backlog; left > 0; left -= 10_000)
    await flowrra.submitMany('work', calls(Math.min(left, 10_000)));
  await app.close();
  const worker = await start({ engine: sqlite({ file }), remoteTasks: { work: {} } });
  let left = jobs;
  const started = performance.now();
  await new Promise((resolve) => {
    worker.flowrra.events$.subscribe(({ type }) => type === 'succeeded' && --left === 0 && resolve());
    worker.flowrra.register({ name: 'work' }, async (payload) => payload.name);
  });
  const each = (1000 * (performance.now() - started)) / jobs;
  await worker.flowrra.stop({ wait: false });
  await worker.app.close();
  return each;
}

/** How time per job grows with the backlog, and the file with what has gone through it. */
export default async function growth({ jobs, folder }) {
  const own = mkdtempSync(join(folder, 'growth-'));
  try {
    let few = 0;
    for (let part = 0; part < 20; part++)
      few += (await timePerJob(join(own, `few-${part}.db`), 1_000, 1_000)) / 20;
    const many = await timePerJob(join(own, 'many.db'), jobs, 20_000);
    const file = join(own, 'retention.db');
    const { app, flowrra } = await start({ engine: sqlite({ file }), maxResults: 10_000 });
    flowrra.register({ name: 'work' }, async (payload) => payload.name);
    const found = { few, many };
    const size = () => (statSync(file).size + statSync(`${file}-wal`).size) / 1e6;
    for (let quarter = 1; quarter <= 4; quarter++) {
      for (let left = jobs / 4; left > 0; left -= 10_000) {
        const ids = await flowrra.submitMany('work', calls(10_000));
        await flowrra.waitForResult(ids.at(-1));
      }
      found[`megabytes${quarter}`] = size();
      found[`handles${quarter}`] = handles();
    }
    await app.close();
    return found;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}
