import type { Type } from '@nestjs/common';
import type { Engine } from '../../engine/engine.js';
import { hasMethods, wrong } from '../../job/check.js';
import { FlowrraConfigError } from '../../job/errors.js';
import { ResultBackend } from '../../results/result-backend.js';

const URLS = "'memory:', 'sqlite:./tasks.db', 'redis://localhost:6379' or 'postgres://user@localhost/app'";
const BACKEND_METHODS: readonly (keyof ResultBackend)[] = ['store', 'get', 'waitFor'];

/**
 * The rule of `engine`.
 *
 * @throws {FlowrraConfigError} that names the missing member of an engine, or the valid values.
 */
export function engineOption(engine: unknown, path: string): string | Engine {
  if (typeof engine === 'string' && engine !== '') return engine;
  // With the memory engine instead, a restart would lose all jobs, and no error would say why.
  if (engine === undefined || engine === '')
    throw wrong(
      path,
      engine,
      `Is the environment variable set? Give a URL such as ${URLS}, or leave the option out for 'memory:'.`,
    );
  if (!hasMethods(engine, ['connect']))
    throw wrong(path, engine, `It must be a URL such as ${URLS}, or an object that implements Engine.`);
  const missing = missingMember(engine);
  if (missing === null) return engine as Engine;
  throw new FlowrraConfigError(
    `${path}: ${missing} is missing. An engine implements every member of the interface Engine.`,
  );
}

function missingMember(engine: Partial<Engine>): string | null {
  if (typeof engine.name !== 'string') return 'name, a string,';
  if (typeof engine.durable !== 'boolean') return 'durable, true or false,';
  return engine.supports instanceof Set ? null : 'supports, a Set of capabilities,';
}

/** The rule of `backend`. */
export function backendOption(backend: unknown, path: string): ResultBackend | Type<ResultBackend> | null {
  if (backend === undefined) return null;
  if (isBackendClass(backend) || hasMethods<ResultBackend>(backend, BACKEND_METHODS)) return backend;
  throw wrong(
    path,
    backend,
    `It must be a ResultBackend, or a class that extends it: one with ${BACKEND_METHODS.join(', ')}.`,
  );
}

/** A subclass may have its methods as properties of its instances, so its prototype may lack them. */
function isBackendClass(value: unknown): value is Type<ResultBackend> {
  if (typeof value !== 'function') return false;
  const prototype: unknown = value.prototype;
  return prototype instanceof ResultBackend || hasMethods(prototype, BACKEND_METHODS);
}
