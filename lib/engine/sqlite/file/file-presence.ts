import { realpathSync, statSync } from 'node:fs';

const UNKNOWN = 'unknown';

/** The files of an open database, as they were when it was opened: what is written to one that has been removed is gone with its last process. */
export class FilePresence {
  private readonly identities: ReadonlyMap<string, string>;

  /** @param file Has been read already: the log and the index beside it are there from then on. */
  constructor(file: string) {
    // SQLite puts them beside what a link leads to.
    const real = realpathSync(file);
    const found = [file, `${real}-wal`, `${real}-shm`].map((path) => [path, identityOf(path)] as const);
    this.identities = new Map(found.filter((each): each is [string, string] => each[1] !== null));
  }

  /** The first of them whose name stands for no file now, or for another one; `null` if all are there. */
  lost(): string | null {
    for (const [path, before] of this.identities) {
      const now = identityOf(path);
      if (now !== before && now !== UNKNOWN) return path;
    }
    return null;
  }
}

/** `null` if there is no such file; `'unknown'` if it cannot be told. */
function identityOf(file: string): string | null {
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    return found === undefined ? null : `${found.dev}:${found.ino}`;
  } catch {
    return UNKNOWN;
  }
}
