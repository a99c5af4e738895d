import { resolve } from 'node:path';
import type { Duration } from '../../job/duration.js';
import { checkKeys, duration, durationBetween, keysOf, oneOf, wholeNumber, wrong } from '../../job/check.js';
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

/** All options, checked; times in milliseconds. */
export interface ResolvedSqliteOptions {
  /** Absolute. */
  readonly file: string;
  readonly durability: 'full' | 'normal';
  readonly lease: number;
  readonly maxRescues: number;
  readonly pollInterval: number;
  readonly lockTimeout: number;
  readonly driver: DriverName | 'auto';
}

const KEYS = keysOf<SqliteOptions>({
  file: true,
  durability: true,
  lease: true,
  maxRescues: true,
  pollInterval: true,
  lockTimeout: true,
  driver: true,
});

/** A busy machine could not renew shorter leases in time. */
const SHORTEST_LEASE_MS = 100;
const LONGEST_LEASE_MS = 86_400_000;
const LONGEST_POLL_MS = 3_600_000;

/** @throws {FlowrraConfigError} that names the option, its value and the valid values. */
export function resolveSqliteOptions(options: SqliteOptions): ResolvedSqliteOptions {
  checkKeys(options, KEYS, 'sqlite options');
  return {
    file: resolveFile(options.file),
    durability: oneOf(options.durability, 'sqlite durability', ['full', 'normal'], 'full'),
    lease: durationBetween(SHORTEST_LEASE_MS, LONGEST_LEASE_MS, options.lease, 'sqlite lease', 30_000),
    maxRescues: wholeNumber(options.maxRescues, 'sqlite maxRescues', { min: 0, fallback: 3 }),
    pollInterval: durationBetween(1, LONGEST_POLL_MS, options.pollInterval, 'sqlite pollInterval', 20),
    lockTimeout: duration(options.lockTimeout, 'sqlite lockTimeout', 5_000),
    driver: oneOf(options.driver, 'sqlite driver', ['auto', 'node:sqlite', 'better-sqlite3'], 'auto'),
  };
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

function resolveFile(file: unknown): string {
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw wrong('sqlite file', file, "It must be a path, such as './data/tasks.db'.");
  }
  if (file.startsWith('file:')) throw wrong('sqlite file', file, 'It must be a path, not a URL.');
  if (file.startsWith(':')) {
    throw wrong(
      'sqlite file',
      file,
      "An in-memory database stores nothing durably: use the engine 'memory:' instead.",
    );
  }
  return resolve(file);
}
