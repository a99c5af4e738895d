import { EngineError } from '../../job/errors.js';

/** The kinds of SQLite errors that need different advice. */
export type Fault = 'locked' | 'full' | 'readonly' | 'disk' | 'damaged' | 'unopenable' | 'other';

/** Primary result codes: https://sqlite.org/rescode.html */
const BY_CODE: ReadonlyMap<number, Fault> = new Map([
  [5, 'locked'],
  [6, 'locked'],
  [8, 'readonly'],
  [10, 'disk'],
  [11, 'damaged'],
  [13, 'full'],
  [14, 'unopenable'],
  [26, 'damaged'],
]);

/** The names of the same codes, which better-sqlite3 uses. The name of an extended code begins with that of its primary code. */
const BY_NAME: readonly (readonly [string, Fault])[] = [
  ['SQLITE_BUSY', 'locked'],
  ['SQLITE_LOCKED', 'locked'],
  ['SQLITE_READONLY', 'readonly'],
  ['SQLITE_IOERR', 'disk'],
  ['SQLITE_CORRUPT', 'damaged'],
  ['SQLITE_FULL', 'full'],
  ['SQLITE_CANTOPEN', 'unopenable'],
  ['SQLITE_NOTADB', 'damaged'],
];

/** The kind of an error of SQLite, or of an {@link engineError} made from one. */
export function faultOf(error: unknown): Fault {
  const origin: unknown = error instanceof EngineError ? error.cause : error;
  const { errcode, code } = (origin ?? {}) as { errcode?: unknown; code?: unknown };
  if (typeof errcode === 'number') return BY_CODE.get(errcode & 0xff) ?? 'other';
  if (typeof code !== 'string') return 'other';
  return BY_NAME.find(([name]) => code.startsWith(name))?.[1] ?? 'other';
}

/** The error for users: it says what is wrong with the file and how to fix it. */
export function engineError(error: unknown, file: string): EngineError {
  if (error instanceof EngineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new EngineError(`${file}: ${advice(faultOf(error))} (SQLite: ${message})`, { cause: error });
}

function advice(fault: Fault): string {
  switch (fault) {
    case 'locked':
      return 'another program holds the database locked. Close the database in that program, or raise lockTimeout.';
    case 'full':
      return 'the disk is full. Make room; jobs that were accepted before are not lost.';
    case 'readonly':
      return 'the database or its folder is not writable. Check the owner of both, and that the disk is mounted for writing.';
    case 'disk':
      return 'the disk could not be read or written. Check the free space, the quota of this user, and the health of the disk; jobs that were accepted before are not lost.';
    case 'damaged':
      return 'the file is damaged, or is not an SQLite database. Move it away, recover its rows (sqlite3 FILE .recover), and start with a backup or a new file.';
    case 'unopenable':
      return 'the database cannot be opened. Check that the path is not a folder, and that the file and its folder are writable.';
    case 'other':
      return 'the database reported an error.';
  }
}
