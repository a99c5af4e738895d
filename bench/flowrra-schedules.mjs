import { enginePlace } from './engine-place.mjs';
import { percentile } from './rate.mjs';

const NAMES = 20;

/** Counts the calls to the store of schedules of an engine. */
function counting(engine, calls) {
  return {
    name: engine.name,
    durable: engine.durable,
    supports: engine.supports,
    async connect(host) {
      const connected = await engine.connect(host);
      const schedules = new Proxy(connected.schedules, {
        get:
          (store, method) =>
          (...args) => {
            calls[method] = (calls[method] ?? 0) + 1;
            return store[method](...args);
          },
      });
      return new Proxy(connected, {
        get(target, key) {
          if (key === 'schedules') return schedules;
          const value = Reflect.get(target, key, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },
  };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** How late occurrences are on an idle worker; the start with many stored schedules; the reads of an idle second. */
export default async function schedules({ kind, seconds, stored, folder }) {
  const place = await enginePlace(kind, folder);
  const { app, flowrra } = await place.start();
  flowrra.register({ name: 'tick' }, () => undefined);
  const startedAt = new Map();
  const occurrences = new Map();
  flowrra.events$.subscribe((event) => {
    if (event.type === 'started') startedAt.set(event.taskId, Date.now());
    if (event.type === 'scheduled') occurrences.set(event.taskId, event.occurrence.getTime());
  });
  for (let n = 0; n < NAMES; n++) await flowrra.schedules.set(`often ${n}`, { every: '1s' }, 'tick');
  await sleep(seconds * 1_000);
  for (let n = 0; n < NAMES; n++) await flowrra.schedules.remove(`often ${n}`);
  const late = [...startedAt]
    .filter(([id]) => occurrences.has(id))
    .map(([id, at]) => at - occurrences.get(id));
  const [p50, p99] = [percentile(late, 0.5), percentile(late, 0.99)];
  const end = new Date('2999-01-01');
  for (let n = 0; n < stored; n += 100)
    await Promise.all(
      Array.from({ length: 100 }, (_, k) =>
        flowrra.schedules.set(`seldom ${n + k}`, { every: '365d', start: end }, 'tick'),
      ),
    );
  if (kind === 'memory') {
    await app.close();
    await place.stop();
    return { p50, p99, start: 0, reads: 0 };
  }
  await app.close();
  const calls = {};
  const started = performance.now();
  const again = await place.start({ counted: (engine) => counting(engine, calls) });
  const startMs = performance.now() - started;
  again.flowrra.register({ name: 'tick' }, () => undefined);
  await sleep(2_000);
  const before = calls.earliest ?? 0;
  const idle = 10;
  await sleep(idle * 1_000);
  const reads = ((calls.earliest ?? 0) - before) / idle;
  await again.app.close();
  await place.stop();
  return { p50, p99, start: startMs, reads };
}
