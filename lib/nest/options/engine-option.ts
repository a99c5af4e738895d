import { FlowrraConfigError } from '../../job/errors.js';
import type { Engine } from '../../engine/engine.js';
import type { JobControl } from '../../engine/control.js';
import type { ResultBackend } from '../../results/result-backend.js';
import { hasMethods, keysOf, wrong } from '../../job/check.js';
import type { FlowrraModuleOptions } from './module-options.js';

const METHODS = keysOf<Omit<Engine, 'name' | 'durable' | 'results' | 'control'>>({
  connect: true,
  consume: true,
  drain: true,
  enqueue: true,
  enqueueMany: true,
  pendingCount: true,
  close: true,
});
const RESULTS: readonly (keyof ResultBackend)[] = ['get', 'waitFor'];
const CONTROL = keysOf<JobControl>({
  cancel: true,
  report: true,
  job: true,
  find: true,
  counts: true,
  retry: true,
  remove: true,
  pause: true,
  resume: true,
});

const URLS = "'memory:', 'sqlite:./tasks.db', 'redis://localhost:6379' or 'postgres://user@localhost/app'";

/** @throws {FlowrraConfigError} naming the member that an engine lacks, or saying which values are right. */
export function resolveEngineOption(options: FlowrraModuleOptions): string | Engine {
  const engine: unknown = options.engine;
  if (engine === undefined && !Object.hasOwn(options, 'engine')) return 'memory:';
  if (typeof engine === 'string' && engine !== '') return engine;
  // The memory engine in its place would lose every job at the next restart, and say nothing.
  if (engine === undefined || engine === '')
    throw wrong(
      'engine',
      engine,
      `Is the environment variable set? Give a URL such as ${URLS}, or leave the option out for 'memory:'.`,
    );
  if (!hasMethods(engine, ['connect']))
    throw wrong('engine', engine, `It must be a URL such as ${URLS}, or an object that implements Engine.`);
  const missing = missingMember(engine);
  if (missing === null) return engine as Engine;
  throw new FlowrraConfigError(
    `engine: ${missing} is missing. An engine implements every member of the interface Engine.`,
  );
}

function missingMember(engine: Partial<Engine>): string | null {
  if (typeof engine.name !== 'string') return 'name, a string,';
  if (typeof engine.durable !== 'boolean') return 'durable, true or false,';
  return (
    missingMethod(engine, '', METHODS) ??
    missingMethod(engine.results, 'results.', RESULTS) ??
    missingMethod(engine.control, 'control.', CONTROL)
  );
}

function missingMethod(owner: object | undefined, path: string, methods: readonly string[]): string | null {
  const members = (owner ?? {}) as Readonly<Record<string, unknown>>;
  const missing = methods.find((name) => typeof members[name] !== 'function');
  return missing === undefined ? null : `the method ${path}${missing}()`;
}
