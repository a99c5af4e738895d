import { EmbeddedEngine } from '../embedded/embedded-engine.js';
import { resolveSqliteOptions, type SqliteOptions } from './sqlite-options.js';
import { SqliteStore } from './sqlite-store.js';

/**
 * The engine that keeps its jobs in one SQLite file: what `submit` has resolved for survives a crash,
 * and several processes of one host may share the file.
 *
 * @throws {FlowrraConfigError} naming an option that is wrong.
 */
export function sqlite(options: SqliteOptions): EmbeddedEngine {
  return new EmbeddedEngine('sqlite', new SqliteStore(resolveSqliteOptions(options)));
}
