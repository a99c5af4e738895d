import { load } from './cpu-load.mjs';
import { start } from './nest-app.mjs';

export default async function cpu(args) {
  const file = new URL('./cpu-work.mjs', import.meta.url);
  const pool = async (cpuWorkers) => {
    const { app, flowrra } = await start({ cpuWorkers });
    for (const name of ['small', 'heavy'])
      flowrra.register({ name, cpuBound: true, file, export: name }, () => undefined);
    return {
      app,
      call: (name) => async (n) => (await flowrra.waitForResult(await flowrra.submit(name, n))).result,
    };
  };
  const [two, one] = [await pool(2), await pool(1)];
  const found = await load(args, {
    small: two.call('small'),
    heavy: two.call('heavy'),
    heavyAlone: one.call('heavy'),
  });
  await Promise.all([two.app.close(), one.app.close()]);
  return found;
}
