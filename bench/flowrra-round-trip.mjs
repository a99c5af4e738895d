import { start } from './nest-app.mjs';

export default async function roundTrip({ jobs }) {
  const { app, flowrra } = await start();
  const work = async (n) => n;
  flowrra.register({ name: 'work' }, work);
  const once = async () => {
    const started = performance.now();
    await flowrra.waitForResult(await flowrra.submit(work, 1));
    return 1000 * (performance.now() - started);
  };
  for (let n = 0; n < jobs; n++) await once();
  const times = [];
  for (let n = 0; n < jobs; n++) times.push(await once());
  times.sort((a, b) => a - b);
  await app.close();
  return { p50: times[Math.floor(jobs * 0.5)], p99: times[Math.floor(jobs * 0.99)] };
}
