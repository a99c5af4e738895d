import { start } from './nest-app.mjs';

export default async function retention({ jobs }, heap) {
  const { app, flowrra } = await start();
  const work = async (n) => ({ n });
  flowrra.register({ name: 'work' }, work);
  const waves = {};
  for (let wave = 1; wave <= 5; wave++) {
    let last;
    for (let n = 0; n < jobs / 5; n++) last = flowrra.submit(work, n);
    await flowrra.waitForResult(await last);
    waves[`after ${(wave * jobs) / 5}`] = heap() / 1e6;
  }
  await app.close();
  return waves;
}
