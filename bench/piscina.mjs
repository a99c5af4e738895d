import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { load } from './cpu-load.mjs';

export default async function piscina(args) {
  const filename = fileURLToPath(new URL('./cpu-work.mjs', import.meta.url));
  const pool = (threads) => new Piscina({ filename, minThreads: threads, maxThreads: threads });
  const [two, one] = [pool(2), pool(1)];
  const call = (pool, name) => (n) => pool.run(n, { name });
  const found = await load(args, {
    small: call(two, 'small'),
    heavy: call(two, 'heavy'),
    heavyAlone: call(one, 'heavy'),
  });
  await Promise.all([two.destroy(), one.destroy()]);
  return found;
}
