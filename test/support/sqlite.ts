import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqlite, type SqliteOptions } from '../../lib/engine/sqlite/index.js';
import type { DriverName } from '../../lib/engine/sqlite/file/driver.js';

/**
 * The driver under test. `npm test` runs every test that touches SQLite twice: with better-sqlite3,
 * and, on a Node that has it, with node:sqlite.
 */
export const DRIVER = (process.env.FLOWRRA_TEST_SQLITE ?? 'better-sqlite3') as DriverName;

const folder = mkdtempSync(join(tmpdir(), 'flowrra-sqlite-'));
let files = 0;

/** A file in a folder that is gone after the tests of the present spec: a new one, unless it has a name. */
export function tempFile(name = `file-${files++}`): string {
  return join(folder, `${name}.db`);
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An engine on a file of its own, or on the one that is given. */
export function sqliteEngine(options: Partial<SqliteOptions> = {}): ReturnType<typeof sqlite> {
  return sqlite({ file: tempFile(), driver: DRIVER, ...options });
}
