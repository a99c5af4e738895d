import { inspect, isDeepStrictEqual } from 'node:util';
import { FlowrraConfigError } from '../../job/errors.js';
import { checkObject, wrong } from '../../job/check.js';
import type { QueueOptions } from './module-options.js';
import { QUEUES_NEED, resolveQueue } from './resolve-queues.js';
import { CPU_QUEUE, DEFAULT_QUEUE, type ResolvedQueue } from '../../job/queue.js';

/** The queues of one `forFeature()`, not checked yet. */
export interface DeclaredQueues {
  /** Names the declaration in errors: `forFeature() in MailModule`. */
  readonly by: string;
  readonly queues: Readonly<Record<string, QueueOptions>>;
}

/**
 * The queues of `forRoot()`, then those of the features, each once.
 *
 * @throws {FlowrraConfigError} if a queue is wrong, or is declared twice with options that differ.
 */
export function mergeFeatures(
  own: readonly ResolvedQueue[],
  features: readonly DeclaredQueues[],
): ResolvedQueue[] {
  const merged = new Map(own.map((queue) => [queue.name, { queue, by: 'forRoot()' }]));
  for (const { by, queues } of features) {
    checkObject(queues, `${by}: queues`, QUEUES_NEED);
    for (const [name, options] of Object.entries(queues)) {
      const path = `${by}: queues.${name}`;
      if (name === DEFAULT_QUEUE || name === CPU_QUEUE)
        throw wrong(path, options, 'It belongs to the application: set it in forRoot({ queues }).');
      const queue = resolveQueue(name, options, 1, path);
      const first = merged.get(name);
      if (first === undefined) merged.set(name, { queue, by });
      else if (!isDeepStrictEqual(first.queue, queue)) throw declaredTwice(name, first, { queue, by });
    }
  }
  return [...merged.values()].map(({ queue }) => queue);
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

/** The options in which `one` is not as `other`, as text. */
function differing({ queue: one }: Declared, { queue: other }: Declared): string {
  const keys = (Object.keys(one) as (keyof ResolvedQueue)[]).filter(
    (key) => !isDeepStrictEqual(one[key], other[key]),
  );
  return inspect(Object.fromEntries(keys.map((key) => [key, one[key]])), { breakLength: Infinity });
}
