import {
  type Accepted,
  type Attempt,
  CHANGED,
  EmbeddedEngine,
  type JobStore,
  type NewJob,
  type OpenStore,
  type Outcome,
  type StoreConfig,
} from 'flowrra/engine';
import { DirectoryControl } from './directory-control.js';
import { DirectoryJobs } from './directory-jobs.js';
import { DirectoryResults } from './directory-results.js';

// #region embedded
/** The embedded engine over the same directory that `DirectoryEngine` uses. */
export function embeddedDirectory(path: string): EmbeddedEngine {
  return new EmbeddedEngine('directory', new DirectoryStore(path));
}

class DirectoryStore implements JobStore {
  readonly durable = true;
  readonly supports: JobStore['supports'] = new Set();

  constructor(private readonly path: string) {}

  /** @throws {EngineError} if another process uses the directory, or it cannot be read. */
  open(config: StoreConfig): OpenStore {
    return new OpenDirectory(this.path, config);
  }
}
// #endregion

class OpenDirectory implements OpenStore {
  readonly results: DirectoryResults;
  readonly control: DirectoryControl;
  private readonly jobs: DirectoryJobs;

  constructor(path: string, config: StoreConfig) {
    const changed = (): void => config.notify(CHANGED);
    this.jobs = new DirectoryJobs(path, config, (taskId) => this.results.ended(taskId));
    this.results = new DirectoryResults(this.jobs, config.clock);
    this.control = new DirectoryControl({
      jobs: this.jobs,
      cancelRun: (attempt, reason) => config.notify({ type: 'cancelled', attempt, reason }),
      left: changed,
      wake: changed,
    });
  }

  insert(job: NewJob): Accepted {
    return this.jobs.insert(job);
  }

  insertMany(jobs: readonly NewJob[]): Accepted[] {
    return this.jobs.insertMany(jobs);
  }

  hasExisting(job: NewJob): boolean {
    return this.jobs.hasExisting(job);
  }

  claim(queue: string, limit: number): Attempt[] {
    const claimed: Attempt[] = [];
    while (claimed.length < limit) {
      const attempt = this.jobs.claim(queue);
      if (attempt === null) break;
      claimed.push(attempt);
    }
    return claimed;
  }

  settle(attempt: Attempt, outcome: Outcome): boolean {
    return this.jobs.settle(attempt, outcome);
  }

  nextDue(queue: string): number | null {
    return this.jobs.nextDue(queue);
  }

  pendingCount(): number {
    return this.jobs.pendingCount;
  }

  /** Every claimed job begins at once, so there is none to release. */
  stop(): number {
    return 0;
  }

  close(): void {
    this.results.close();
    this.jobs.close();
  }
}
