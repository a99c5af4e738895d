import type { ConnectedEngine, Engine, EngineHost } from '../../lib/engine/engine.js';
import { resolveEngine } from '../../lib/engine/resolve-engine.js';

/** An engine whose batches of jobs pass through a function first, which may wait or throw. */
export async function guardedEngine(
  url: Engine | string,
  guard: (jobs: Parameters<ConnectedEngine['enqueueMany']>[0]) => Promise<void>,
  closed: () => void = () => undefined,
): Promise<Engine> {
  const engine = await resolveEngine(url);
  const { name, durable, supports } = engine;
  const connect = async (host: EngineHost): Promise<ConnectedEngine> => {
    const connected = await engine.connect(host);
    return new Proxy(connected, {
      get(target, key) {
        if (key === 'enqueueMany')
          return async (jobs: Parameters<ConnectedEngine['enqueueMany']>[0]) => {
            await guard(jobs);
            return target.enqueueMany(jobs);
          };
        if (key === 'close')
          return () => {
            closed();
            return target.close();
          };
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });
  };
  return { name, durable, supports, connect };
}
