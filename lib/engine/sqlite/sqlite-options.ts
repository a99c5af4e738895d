import { resolve } from 'node:path';
import type { Duration } from '../../job/duration.js';
import { checkKeys, duration, durationBetween, keysOf, oneOf, wholeNumber, wrong } from '../../job/check.js';
import type { DriverName } from './file/driver/driver.js';

/** Options of the SQLite engine. */
export interface SqliteOptions {
  /** The database file, created if need be; its folder has to exist. Relative to the working directory. */
  file: string;
  /**
   * When a commit counts as kept. `'full'` (default): when the disk says so; it survives a power
   * failure. `'normal'`: when the operating system has it; it survives a crash of the process, and
   * a power failure may lose the last moments.
   */
  durability?: 'full' | 'normal';
  /** How long a worker that shows no sign of life keeps its running jobs. Default 30 s. */
  lease?: Duration;
  /** How often a job is taken over from a worker that died before the job counts as failed. Default 3. */
  maxRescues?: number;
  /** How often to look for what other processes have written. Default 20 ms. */
  pollInterval?: Duration;
  /** How long to wait for the file while another program holds it locked. Default 5 s. */
  lockTimeout?: Duration;
  /** `'auto'` (default): `node:sqlite` where Node has it, else `better-sqlite3`. */
  driver?: DriverName | 'auto';
}

/** Every option, checked; times in milliseconds. */
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

/** Shorter ones could not be renewed in time on a busy machine. */
const SHORTEST_LEASE_MS = 100;
const LONGEST_LEASE_MS = 86_400_000;
const LONGEST_POLL_MS = 3_600_000;

/** @throws {FlowrraConfigError} naming the option, the value and what would be right. */
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

/** The file that a URL such as `sqlite:./data/tasks.db` or `sqlite:///var/lib/app/tasks.db` names. */
export function fileOfUrl(url: string): string {
  if (url.includes('?'))
    throw wrong(
      'engine',
      url,
      "The URL names the file and nothing else. For options: sqlite({ file, … }) from 'flowrra/sqlite'.",
    );
  const [, relative] = /^sqlite:\/\/([^/].*)/i.exec(url) ?? [];
  if (relative !== undefined)
    throw wrong('engine', url, `Write sqlite:./${relative}, or sqlite:/ and the whole path.`);
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
      "A database in memory keeps nothing: use the engine 'memory:' for that.",
    );
  }
  return resolve(file);
}
