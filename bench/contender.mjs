// One measurement in a process of its own: `node contender.mjs <name> <json arguments>`.
import { rivals } from './rivals.mjs';

const [name, json] = process.argv.slice(2);
const args = JSON.parse(json);

const heap = () => {
  globalThis.gc();
  return process.memoryUsage().heapUsed;
};

/** Submits all jobs, then waits until the last has run. */
async function throughput(make, { jobs, warm }) {
  const queue = await make();
  for (let round = 0; round < warm; round++) await queue.run(jobs);
  // Heap is measured in a round of its own, since collecting it takes time.
  const before = heap();
  const started = performance.now();
  await queue.run(jobs);
  const rate = (1000 * jobs) / (performance.now() - started);
  const rss = process.resourceUsage().maxRSS / 1024;
  void before;
  const bytes = await queue.pendingBytes(Math.min(jobs, 200_000), heap);
  await queue.close();
  return { rate, bytes, rss };
}

const run = rivals[name]
  ? () => throughput(rivals[name], args)
  : async () => (await import(`./${name}.mjs`)).default(args, heap);
console.log(JSON.stringify(await run()));
process.exit(0);
