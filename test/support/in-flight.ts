import { Redis } from 'ioredis';
import pg from 'pg';

/** Commands that wait for an event: their answers may take long on a quiet server. */
const BLOCKING = new Set(['bzpopmin', 'brpoplpush', 'blmove', 'xread', 'subscribe', 'psubscribe']);

type Method = (...args: unknown[]) => unknown;

const inFlight = new Set<PromiseLike<unknown>>();

function follow(answer: PromiseLike<unknown>): void {
  inFlight.add(answer);
  const forget = (): void => void inFlight.delete(answer);
  answer.then(forget, forget);
}

function wrap(prototype: object, name: string, wrapped: (method: Method) => Method): void {
  const methods = prototype as Record<string, Method>;
  methods[name] = wrapped(methods[name] as Method);
}

/** Follows a call that answers by a promise, or by a callback as its last argument. */
const followed = (method: Method): Method =>
  function (this: unknown, ...args) {
    const callback = args.at(-1);
    if (typeof callback !== 'function') {
      const answer = method.apply(this, args) as PromiseLike<unknown> | undefined;
      if (typeof answer?.then === 'function') follow(answer);
      return answer;
    }
    let done!: () => void;
    follow(new Promise<void>((resolve) => (done = resolve)));
    const told: Method = (...answer) => {
      done();
      return (callback as Method)(...answer);
    };
    return method.apply(this, [...args.slice(0, -1), told]);
  };

/** From now on, follows what this process asks of any PostgreSQL. */
export function followPostgres(): void {
  for (const name of ['query', 'connect']) wrap(pg.Pool.prototype, name, followed);
  wrap(pg.Client.prototype, 'query', followed);
}

/** From now on, follows what this process asks of any Redis. */
export function followRedis(): void {
  const command = (method: Method): Method =>
    function (this: unknown, ...args) {
      const { name, promise } = args[0] as { name: string; promise: Promise<unknown> };
      if (!BLOCKING.has(name)) follow(promise);
      return method.apply(this, args);
    };
  wrap(Redis.prototype, 'sendCommand', command);
}

/** Resolves when everything that had been asked of a server before has its answer. */
export async function answered(): Promise<void> {
  await Promise.allSettled(inFlight);
}
