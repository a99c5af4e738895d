import { inspect, isDeepStrictEqual } from 'node:util';
import { checkObject, wrong } from '../../job/check.js';
import type { Duration } from '../../job/duration.js';
import { FlowrraConfigError } from '../../job/errors.js';
import { checkQueueName } from '../../job/names.js';
import { CPU_QUEUE, DEFAULT_QUEUE, type RateLimit, type ResolvedQueue } from '../../job/queue.js';
import {
  duration,
  optional,
  OptionTable,
  required,
  type Rule,
  type RulesOf,
  wholeNumber,
} from '../../job/rules.js';
import { shownText } from '../../job/show-value.js';

/** Options of one queue. */
export interface QueueOptions {
  /**
   * How many of its jobs this process runs at once: at least 1.
   *
   * @defaultValue `1`; of `default`, `numWorkers`; of `cpu`, `cpuWorkers`
   */
  concurrency?: number;
  /**
   * How many of its jobs all processes together run at once: at least 1, or `Infinity`. All processes of a
   * fleet should have the same value.
   *
   * @defaultValue `Infinity`
   */
  fleetConcurrency?: number;
  /**
   * How many attempts this process starts within a time.
   *
   * @defaultValue no limit
   */
  rateLimit?: RateLimitOptions;
  /**
   * How many attempts all processes together start within a time. All processes of a fleet should have the
   * same value.
   *
   * @defaultValue no limit
   */
  fleetRateLimit?: RateLimitOptions;
}

/** At most `max` starts within windows of `per`. A window begins with its first start. */
export interface RateLimitOptions {
  /** How many attempts may start within a window: at least 1. */
  max: number;
  /** The length of a window: at least 1 ms. */
  per: Duration;
}

/** Options of `FlowrraModule.forFeature()`. */
export interface FlowrraFeatureOptions {
  /**
   * The queues of the feature, by name, as in {@link FlowrraModuleOptions.queues}, except `default` and `cpu`,
   * which belong to the application.
   */
  queues: Record<string, QueueOptions>;
}

/** The queues of one `forFeature()`, not checked yet. */
export interface DeclaredQueues {
  /** Names the declaration in errors: `forFeature() in MailModule`. */
  readonly by: string;
  readonly queues: Readonly<Record<string, QueueOptions>>;
}

const RATE_RULES = new OptionTable({
  max: required(wholeNumber({ min: 1 })),
  per: required(duration({ min: 1 })),
} satisfies RulesOf<RateLimitOptions>);

const rateLimit = optional<RateLimit, null>((value, path) => RATE_RULES.resolve(value, path), null);

const QUEUE_RULES = new OptionTable({
  concurrency: wholeNumber({ min: 1 }),
  fleetConcurrency: wholeNumber({ min: 1, infinite: true, default: Infinity }),
  rateLimit,
  fleetRateLimit: rateLimit,
} satisfies RulesOf<QueueOptions>);

/** `numWorkers`, unless it is given. */
const DEFAULT_WORKERS = 4;

/**
 * The queues of `forRoot()`, `default` and `cpu` first.
 *
 * @param numWorkers The option; `undefined` if it was not given.
 * @throws {FlowrraConfigError} that names the queue, the option, its value and the valid values.
 */
export function resolveQueues(
  queues: Readonly<Record<string, QueueOptions>>,
  numWorkers: number | undefined,
  cpuWorkers: number,
): ResolvedQueue[] {
  rejectTwoSettings(queues, DEFAULT_QUEUE, 'numWorkers', numWorkers);
  rejectTwoSettings(queues, CPU_QUEUE, 'cpuWorkers', cpuWorkers);
  // A Map, since a queue may be called 'constructor' or '__proto__'.
  const concurrency = new Map([
    [DEFAULT_QUEUE, numWorkers ?? DEFAULT_WORKERS],
    [CPU_QUEUE, cpuWorkers],
  ]);
  return Object.entries({ [DEFAULT_QUEUE]: {}, [CPU_QUEUE]: {}, ...queues }).map(([name, options]) =>
    resolveQueue(name, options, concurrency.get(name) ?? 1, `queues.${shownText(name)}`),
  );
}

/**
 * The queues of `forRoot()`, then those of the features, each once.
 *
 * @throws {FlowrraConfigError} for an invalid queue, and for one that is declared twice with different options.
 */
export function mergeFeatures(
  own: readonly ResolvedQueue[],
  features: readonly DeclaredQueues[],
): ResolvedQueue[] {
  const merged = new Map(own.map((queue) => [queue.name, { queue, by: 'forRoot()' }]));
  for (const { by, queues } of features)
    for (const [name, options] of Object.entries(queues)) {
      const path = `${by}: queues.${name}`;
      if (name === DEFAULT_QUEUE || name === CPU_QUEUE)
        throw wrong(path, options, 'It belongs to the application: set it in forRoot({ queues }).');
      const queue = resolveQueue(name, options, 1, path);
      const first = merged.get(name);
      if (first === undefined) merged.set(name, { queue, by });
      else if (!isDeepStrictEqual(first.queue, queue)) throw declaredTwice(name, first, { queue, by });
    }
  return [...merged.values()].map(({ queue }) => queue);
}

/** The rule of `queues`: checks that it is an object. {@link resolveQueues} checks each queue. */
export const checkQueues: Rule<Readonly<Record<string, QueueOptions>>> = (queues, path) => {
  checkObject(queues, path, 'It must be an object of queues by name: { reports: { concurrency: 2 } }.');
  return queues as Readonly<Record<string, QueueOptions>>;
};

function resolveQueue(name: string, options: QueueOptions, concurrency: number, path: string): ResolvedQueue {
  checkQueueName(name, path);
  const resolved = QUEUE_RULES.resolve(options, path);
  return { name, ...resolved, concurrency: resolved.concurrency ?? concurrency };
}

function rejectTwoSettings(
  queues: Readonly<Record<string, QueueOptions>>,
  name: string,
  option: string,
  value: number | undefined,
): void {
  const concurrency = queues[name]?.concurrency;
  if (value !== undefined && concurrency !== undefined)
    throw wrong(
      `queues.${name}.concurrency`,
      concurrency,
      `${option} (${value}) already sets the concurrency of this queue. Use only ${option}.`,
    );
}

interface Declared {
  readonly queue: ResolvedQueue;
  readonly by: string;
}

function declaredTwice(name: string, first: Declared, second: Declared): FlowrraConfigError {
  return new FlowrraConfigError(
    `Queue '${name}' is declared twice with different options: by ${first.by} with ${differing(first, second)}, by ${second.by} with ${differing(second, first)}. Declare it once, or with the same options.`,
  );
}

/** The options in which `one` differs from `other`, as text. */
function differing({ queue: one }: Declared, { queue: other }: Declared): string {
  const keys = (Object.keys(one) as (keyof ResolvedQueue)[]).filter(
    (key) => !isDeepStrictEqual(one[key], other[key]),
  );
  return inspect(Object.fromEntries(keys.map((key) => [key, one[key]])), { breakLength: Infinity });
}
