import { FlowrraConfigError } from '../../job/errors.js';
import type { Engine } from '../../engine/engine.js';
import { hasMethods, wrong } from '../../job/check.js';
import type { FlowrraModuleOptions } from './module-options.js';

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
  return engine.supports instanceof Set ? null : 'supports, a Set of capabilities,';
}
