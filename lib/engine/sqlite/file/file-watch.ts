import { realpathSync, statSync } from 'node:fs';
import { detached } from '../../../job/async.js';

/** How often the files are checked for removal, in milliseconds. */
const PRESENCE_MS = 1_000;

export interface FileWatchOptions {
  /** How often to check for writes of other processes, in milliseconds. */
  readonly pollInterval: number;
  /** Changes whenever another process has written. Reading it takes a microsecond or two. */
  version(): number;
  /** Called when another process has written. */
  changed(): void;
  /** Checks whether the files still exist. */
  checkPresence(): void;
}

/**
 * Watches the file for writes of other processes, and for its removal. The intervals are real time,
 * whichever clock the engine uses, since other processes live in real time.
 */
export class FileWatch {
  private readonly changes: NodeJS.Timeout;
  private readonly presence: NodeJS.Timeout;
  private seen: number;

  constructor(private readonly options: FileWatchOptions) {
    this.seen = options.version();
    this.changes = detached(() => setInterval(this.checkVersion, options.pollInterval));
    this.presence = detached(() => setInterval(() => options.checkPresence(), PRESENCE_MS));
    this.changes.unref();
    this.presence.unref();
  }

  /** Keeps a process that runs jobs alive, even if no job is due for days. */
  keepAlive(): void {
    this.changes.ref();
  }

  stop(): void {
    clearInterval(this.changes);
    clearInterval(this.presence);
  }

  private readonly checkVersion = (): void => {
    try {
      const version = this.options.version();
      if (version === this.seen) return;
      this.seen = version;
      this.options.changed();
    } catch {
      // An unreadable file is reported by the calls that need its content.
    }
  };
}

const UNKNOWN = 'unknown';

/**
 * The identities of an open database's files. After a file has been removed or replaced, writes go to a
 * file without a name, which is lost when its last process closes it.
 */
export class FilePresence {
  private readonly identities: ReadonlyMap<string, string>;

  /** @param file Must have been read before: from then on its log and index exist beside it. */
  constructor(file: string) {
    // SQLite creates both beside the target of a symbolic link.
    const real = realpathSync(file);
    const found = [file, `${real}-wal`, `${real}-shm`].map((path) => [path, identityOf(path)] as const);
    this.identities = new Map(found.filter((each): each is [string, string] => each[1] !== null));
  }

  /** The first path that is missing or names another file now; `null` if there is none. */
  lost(): string | null {
    for (const [path, before] of this.identities) {
      const now = identityOf(path);
      if (now !== before && now !== UNKNOWN) return path;
    }
    return null;
  }
}

/** `null` if the file does not exist; `'unknown'` if it cannot be examined. */
function identityOf(file: string): string | null {
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    return found === undefined ? null : `${found.dev}:${found.ino}`;
  } catch {
    return UNKNOWN;
  }
}
