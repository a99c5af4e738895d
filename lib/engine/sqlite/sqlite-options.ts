import { resolve as absolute } from 'node:path';
import type { Duration } from '../../job/duration.js';
import { wrong } from '../../job/check.js';
import { duration, oneOf, OptionTable, type Resolved, type RulesOf, wholeNumber } from '../../job/rules.js';
import type { DriverName } from './file/driver.js';

/** Options of the SQLite engine. */
export interface SqliteOptions {
  /**
   * The path of the database file, relative to the working directory. The file is created if there is none;
   * its folder must exist.
   */
  file: string;
  /**
   * When a commit counts as durable. `'full'`: when the disk has it, so that it survives a power failure.
   * `'normal'`: when the operating system has it, so that it survives a crash of the process; a power failure
   * may lose the latest commits.
   *
   * @defaultValue `'full'`
   */
  durability?: 'full' | 'normal';
  /**
   * How long a worker keeps its running jobs without a sign of life: 100 ms to 24 h. Afterwards another worker
   * takes them over.
   *
   * @defaultValue `'30s'`
   */
  lease?: Duration;
  /**
   * How often a job is taken over from dead workers before it counts as failed: 0 or more. With 0, a job that
   * may have been started never starts again.
   *
   * @defaultValue `3`
   */
  maxRescues?: number;
  /**
   * How often to check for writes of other processes: 1 ms to 1 h.
   *
   * @defaultValue `20` milliseconds
   */
  pollInterval?: Duration;
  /**
   * How long a write waits while another program holds the file locked. Then it is rejected with an `EngineError`.
   *
   * @defaultValue `'5s'`
   */
  lockTimeout?: Duration;
  /**
   * `'auto'`: `node:sqlite` if Node has it (22.13 and later), otherwise `better-sqlite3`, which must be installed.
   *
   * @defaultValue `'auto'`
   */
  driver?: DriverName | 'auto';
}

const RULES = new OptionTable({
  /** Absolute. */
  file: resolveFile,
  durability: oneOf(['full', 'normal'], 'full'),
  // A busy machine could not renew shorter leases in time.
  lease: duration({ min: 100, max: 86_400_000, default: '30s' }),
  maxRescues: wholeNumber({ min: 0, default: 3 }),
  pollInterval: duration({ min: 1, max: 3_600_000, default: '20ms' }),
  lockTimeout: duration({ default: '5s' }),
  driver: oneOf(['auto', 'node:sqlite', 'better-sqlite3'], 'auto'),
} satisfies RulesOf<SqliteOptions>);

/** All options, checked; times in milliseconds. */
export type ResolvedSqliteOptions = Resolved<typeof RULES>;

/** @throws {FlowrraConfigError} that names the option, its value and the valid values. */
export function resolveSqliteOptions(options: SqliteOptions): ResolvedSqliteOptions {
  return RULES.resolve(options, 'sqlite options', 'sqlite ');
}

/** The path in a URL such as `sqlite:./data/tasks.db` or `sqlite:///var/lib/app/tasks.db`. */
export function fileOfUrl(url: string): string {
  if (url.includes('?'))
    throw wrong(
      'engine',
      url,
      "The URL can contain only the path of the file. For options use sqlite({ file, … }) from 'flowrra/sqlite'.",
    );
  const [, relative] = /^sqlite:\/\/([^/].*)/i.exec(url) ?? [];
  if (relative !== undefined)
    throw wrong('engine', url, `Write sqlite:./${relative}, or sqlite:/ and the absolute path.`);
  return url.replace(/^sqlite:(\/\/(?=\/))?/i, '');
}

function resolveFile(file: unknown, path: string): string {
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw wrong(path, file, "It must be a path, such as './data/tasks.db'.");
  }
  if (file.startsWith('file:')) throw wrong(path, file, 'It must be a path, not a URL.');
  if (file.startsWith(':')) {
    throw wrong(
      path,
      file,
      "An in-memory database stores nothing durably: use the engine 'memory:' instead.",
    );
  }
  return absolute(file);
}
