import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EngineError } from '../../../job/errors.js';
import { engineError, faultOf } from '../sqlite-fault.js';
import type { ResolvedSqliteOptions } from '../sqlite-options.js';
import type { SqliteDatabase, SqliteDriver } from './driver.js';
import { loadDriver } from './load-driver.js';
import { migrate } from './migrations.js';

/**
 * How long SQLite itself waits for a lock. It blocks the event loop meanwhile. A commit of another process
 * takes less time; longer waits are made without blocking, by `GroupCommit`.
 */
const BUSY_TIMEOUT_MS = 5;
const OPEN_RETRY_MS = 20;
/** Bytes of the write-ahead log that are kept for reuse after a large submission. */
const MAX_KEPT_LOG = 16_777_216;

/**
 * Opens the file, creates it if there is none, and migrates it to the current schema.
 *
 * @throws {EngineError} that says what is wrong with the file and how to fix it.
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
      // Processes that start together on a new file lock it for each other for a moment.
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
    // FileTransaction makes checkpoints between transactions, so that no commit waits for one.
    database.exec('PRAGMA wal_autocheckpoint = 0');
    database.exec(
      `PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; PRAGMA journal_size_limit = ${MAX_KEPT_LOG}`,
    );
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Write-ahead logging needs shared memory, which network file systems do not provide. */
function enterWal(database: SqliteDatabase, file: string): void {
  const { journal_mode: mode } = database
    .prepare<{ journal_mode: string }>('PRAGMA journal_mode = WAL')
    .get() as { journal_mode: string };
  if (mode === 'wal') return;
  throw new EngineError(
    `${file}: its file system does not support write-ahead logging (journal mode ${mode}). Put the file on a local disk.`,
  );
}
