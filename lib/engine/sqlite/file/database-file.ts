import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EngineError } from '../../../job/errors.js';
import type { SqliteDatabase, SqliteDriver } from './driver/driver.js';
import { loadDriver } from './driver/load-driver.js';
import { migrate } from './migrations.js';
import { engineError, faultOf } from '../sqlite-fault.js';
import type { ResolvedSqliteOptions } from '../sqlite-options.js';

/**
 * How long SQLite itself may wait for a lock, and hold the event loop meanwhile. Another process's
 * commit takes less; whoever waits longer does so without holding anything up.
 */
const BUSY_TIMEOUT_MS = 5;
const OPEN_RETRY_MS = 20;
/** Bytes of the log that are kept for reuse, however long a large submission has made it. */
const LONGEST_LOG = 16_777_216;

/**
 * Opens the file, creates it if need be, and brings its schema up to date.
 *
 * @throws {EngineError} that says what is wrong with the file.
 */
export async function openDatabaseFile(options: ResolvedSqliteOptions): Promise<SqliteDatabase> {
  const { file, lockTimeout } = options;
  const driver = await loadDriver(options.driver);
  if (!existsSync(dirname(file))) {
    throw new EngineError(`${file}: its folder does not exist. Create it: mkdir -p '${dirname(file)}'`);
  }
  const deadline = performance.now() + lockTimeout;
  for (;;) {
    try {
      return open(driver, options);
    } catch (error) {
      // Several processes that start together on a new file get into each other's way for a moment.
      if (faultOf(error) !== 'locked' || performance.now() > deadline) throw engineError(error, file);
      await pause(OPEN_RETRY_MS);
    }
  }
}

function open(driver: SqliteDriver, { file, durability }: ResolvedSqliteOptions): SqliteDatabase {
  const database = driver.open(file);
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    migrate(database, file);
    enterWal(database, file);
    database.exec(`PRAGMA synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'}`);
    // Checkpoints are made between transactions, not within one: see FileTransaction.
    database.exec('PRAGMA wal_autocheckpoint = 0');
    database.exec(
      `PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; PRAGMA journal_size_limit = ${LONGEST_LOG}`,
    );
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Write-ahead logging needs memory that processes share, which network file systems do not give. */
function enterWal(database: SqliteDatabase, file: string): void {
  const { journal_mode: mode } = database
    .prepare<{ journal_mode: string }>('PRAGMA journal_mode = WAL')
    .get() as { journal_mode: string };
  if (mode === 'wal') return;
  throw new EngineError(
    `${file}: its file system cannot do write-ahead logging (journal mode ${mode}). Put the file on a local disk.`,
  );
}
