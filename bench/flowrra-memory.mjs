import { start } from './nest-app.mjs';

/** Heap per pending job, with and without somebody waiting, and how time per job grows with the backlog. */
export default async function memory({ jobs }, heap) {
  const { app, flowrra } = await start();
  let open;
  const held = new Promise((resolve) => (open = resolve));
  let count = 0;
  const work = async (n) => {
    count += n;
  };
  flowrra.register({ name: 'work' }, work);
  flowrra.register({ name: 'hold' }, () => held);

  const drain = async (jobs) => {
    let last;
    const started = performance.now();
    for (let n = 0; n < jobs; n++) last = flowrra.submit(work, 1);
    await flowrra.waitForResult(await last);
    return (performance.now() - started) / jobs;
  };
  // Both warm, in turns, as many jobs each.
  await drain(jobs);
  const few = [];
  const many = [];
  for (let round = 0; round < 3; round++) {
    let sum = 0;
    for (let part = 0; part < 20; part++) sum += await drain(10_000);
    few.push(sum / 20);
    many.push(await drain(jobs));
  }
  const median = (list) => list.sort((a, b) => a - b)[1];

  for (let n = 0; n < 4; n++) void flowrra.submit('hold');
  await new Promise((resolve) => setImmediate(resolve));
  const before = heap();
  let last;
  for (let n = 0; n < 200_000; n++) last = flowrra.submit(work, 1);
  await last;
  const pending = (heap() - before) / 200_000;
  const ids = await flowrra.submitMany(
    work,
    Array.from({ length: 200_000 }, () => [1]),
  );
  const without = heap();
  for (const id of ids) void flowrra.waitForResult(id);
  await new Promise((resolve) => setImmediate(resolve));
  const waiting = pending + (heap() - without) / 200_000;
  open();
  await app.close();
  return { pending, waiting, growth: median(many) / median(few) };
}
