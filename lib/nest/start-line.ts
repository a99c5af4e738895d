import type { ResolvedOptions } from './options/module-options.js';
import type { ResolvedQueue } from '../job/queue.js';

/**
 * The version of this package. A constant, since neither `import.meta` nor a look at package.json works
 * in an application that is bundled, or transformed to CommonJS; a test compares it with package.json.
 */
export const VERSION = '0.1.0';

/** Further queues are only counted. */
const MAX_QUEUES = 20;

/** The log line of the start. It shows no URL, which may contain a password. */
export function startLine(
  { engine, role, queues }: Pick<ResolvedOptions, 'engine' | 'role' | 'queues'>,
  engineName: string,
  tasks: number,
): string {
  const store = typeof engine === 'string' ? engine.slice(0, engine.indexOf(':')) : engineName;
  const named = queues.slice(0, MAX_QUEUES).map(role === 'producer' ? ({ name }) => name : withConcurrency);
  if (queues.length > MAX_QUEUES) named.push(`and ${queues.length - MAX_QUEUES} more`);
  const part = role === 'producer' ? 'producer (runs no jobs)' : role;
  const count = tasks === 1 ? '1 task' : `${tasks} tasks`;
  return `Started: engine ${store}, role ${part}, queues ${named.join(', ')}; ${count}; version ${VERSION}`;
}

function withConcurrency({ name, concurrency, fleetConcurrency }: ResolvedQueue): string {
  return fleetConcurrency === Infinity
    ? `${name} (${concurrency})`
    : `${name} (${concurrency}, in all processes ${fleetConcurrency})`;
}
