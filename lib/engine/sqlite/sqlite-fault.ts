import { EngineError } from '../../job/errors.js';

/** What SQLite may complain of, as far as we tell it apart. */
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

/** The same by name, as better-sqlite3 gives them; an extended code begins with its primary one. */
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

/** Of an error of SQLite's, or of the {@link engineError} that was made of it. */
export function faultOf(error: unknown): Fault {
  const origin: unknown = error instanceof EngineError ? error.cause : error;
  const { errcode, code } = (origin ?? {}) as { errcode?: unknown; code?: unknown };
  if (typeof errcode === 'number') return BY_CODE.get(errcode & 0xff) ?? 'other';
  if (typeof code !== 'string') return 'other';
  return BY_NAME.find(([name]) => code.startsWith(name))?.[1] ?? 'other';
}

/** The error that users see, which says what is wrong with the file and what to do. */
export function engineError(error: unknown, file: string): EngineError {
  if (error instanceof EngineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new EngineError(`${file}: ${advice(faultOf(error))} (SQLite: ${message})`, { cause: error });
}

function advice(fault: Fault): string {
  switch (fault) {
    case 'locked':
      return 'another program holds the database locked. Close it there, or raise lockTimeout.';
    case 'full':
      return 'the disk is full. Make room; nothing that was accepted before is lost.';
    case 'readonly':
      return 'the database, or its folder, cannot be written. Check who owns both, and that the disk is mounted for writing.';
    case 'disk':
      return 'the disk refused to be read or written. Check that it has room, also within the quota of this user, and that it is in order; nothing that was accepted before is lost.';
    case 'damaged':
      return 'the file is damaged, or is no SQLite database. Put it aside, see what can be saved (sqlite3 FILE .recover), and start with a backup or a new file.';
    case 'unopenable':
      return 'the database cannot be opened. Check that it is no folder, and that it and its folder may be written.';
    case 'other':
      return 'the database reported an error.';
  }
}
