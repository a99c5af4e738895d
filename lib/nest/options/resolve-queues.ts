import { shownText } from '../../job/show-value.js';
import { parseDuration } from '../../job/duration.js';
import { checkKeys, checkObject, keysOf, wholeNumber, wrong } from '../../job/check.js';
import type { FlowrraModuleOptions, QueueOptions, RateLimitOptions } from './module-options.js';
import { checkQueueName } from '../../job/names.js';
import { CPU_QUEUE, DEFAULT_QUEUE, type RateLimit, type ResolvedQueue } from '../../job/queue.js';

const QUEUE_KEYS = keysOf<QueueOptions>({
  concurrency: true,
  fleetConcurrency: true,
  rateLimit: true,
  fleetRateLimit: true,
});
const RATE_KEYS = keysOf<RateLimitOptions>({ max: true, per: true });
const DEFAULT_WORKERS = 4;

export const QUEUES_NEED = 'It must be an object of queues by name: { reports: { concurrency: 2 } }.';

/**
 * `default` and `cpu` first, then the others as they were given.
 *
 * @throws {FlowrraConfigError} naming the queue, the option and what would be right.
 */
export function resolveQueues(
  { queues = {}, numWorkers }: FlowrraModuleOptions,
  cpuWorkers: number,
): ResolvedQueue[] {
  checkObject(queues, 'queues', QUEUES_NEED);
  const workers = wholeNumber(numWorkers, 'numWorkers', { min: 1, fallback: DEFAULT_WORKERS });
  refuseTwice(queues, DEFAULT_QUEUE, 'numWorkers', numWorkers);
  refuseTwice(queues, CPU_QUEUE, 'cpuWorkers', cpuWorkers);
  // A Map, since a queue may be called 'constructor' or '__proto__'.
  const own = new Map([
    [DEFAULT_QUEUE, workers],
    [CPU_QUEUE, cpuWorkers],
  ]);
  return Object.entries({ [DEFAULT_QUEUE]: {}, [CPU_QUEUE]: {}, ...queues }).map(([name, queue]) =>
    resolveQueue(name, queue, own.get(name) ?? 1, `queues.${shownText(name)}`),
  );
}

function refuseTwice(
  queues: Record<string, QueueOptions>,
  name: string,
  option: string,
  given: number | undefined,
): void {
  const concurrency = queues[name]?.concurrency;
  if (given === undefined || concurrency === undefined) return;
  throw wrong(
    `queues.${name}.concurrency`,
    concurrency,
    `${option} (${given}) says the same of that queue. Keep that one.`,
  );
}

/** @param fallback Its concurrency, if none is given. */
export function resolveQueue(
  name: string,
  queue: QueueOptions,
  fallback: number,
  path: string,
): ResolvedQueue {
  checkQueueName(name, path);
  checkKeys(queue, QUEUE_KEYS, path);
  return {
    name,
    concurrency: wholeNumber(queue.concurrency, `${path}.concurrency`, { min: 1, fallback }),
    fleetConcurrency: wholeNumber(queue.fleetConcurrency, `${path}.fleetConcurrency`, {
      min: 1,
      infinite: true,
      fallback: Infinity,
    }),
    rateLimit: resolveRate(queue.rateLimit, `${path}.rateLimit`),
    fleetRateLimit: resolveRate(queue.fleetRateLimit, `${path}.fleetRateLimit`),
  };
}

function resolveRate(rate: RateLimitOptions | undefined, path: string): RateLimit | null {
  if (rate === undefined) return null;
  checkKeys(rate, RATE_KEYS, path);
  if (rate.max === undefined)
    throw wrong(`${path}.max`, rate.max, "How many may start? Such as { max: 10, per: '1s' }.");
  const per = parseDuration(rate.per, `${path}.per`);
  if (per === 0) throw wrong(`${path}.per`, rate.per, 'It must be at least 1 ms.');
  return { max: wholeNumber(rate.max, `${path}.max`, { min: 1, fallback: 1 }), per };
}
