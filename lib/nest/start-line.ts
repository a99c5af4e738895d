import type { ResolvedOptions } from './options/module-options.js';
import type { ResolvedQueue } from '../job/queue.js';
import { VERSION } from '../version.js';

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
