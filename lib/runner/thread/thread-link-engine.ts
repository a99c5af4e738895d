import { FlowrraConfigError } from '../../core/errors.js';
import type { DrainReport, Engine, MaybePromise, NewJob } from '../../engine/engine.interface.js';
import { ResultBackend } from '../../results/result-backend.js';
import type { ThreadLink } from './thread-link.js';

/** The engine of an application inside one of our threads: it runs nothing and submits to its parent. */
export class ThreadLinkEngine implements Engine {
  readonly name = 'thread';
  readonly durable = false;
  readonly results = new NoResults();

  constructor(private readonly link: ThreadLink) {}

  connect(): void {}

  consume(): void {}

  async drain(): Promise<DrainReport> {
    return { unfinished: 0, dropped: 0 };
  }

  enqueue({ taskName, args, taskId, priority, delay, overrides }: NewJob): Promise<string> {
    return this.link.submit(taskName, [...args], { taskId, priority, delay, ...overrides });
  }

  enqueueMany(jobs: readonly NewJob[]): Promise<string[]> {
    return Promise.all(jobs.map((job) => this.enqueue(job)));
  }

  pendingCount(): MaybePromise<number> {
    throw notHere('pendingCount()');
  }

  close(): void {}
}

class NoResults extends ResultBackend {
  store(): never {
    throw notHere('A result backend');
  }

  get(): never {
    throw notHere('getResult()');
  }

  async waitFor(): Promise<never> {
    throw notHere('waitForResult()');
  }
}

function notHere(what: string): FlowrraConfigError {
  return new FlowrraConfigError(
    `${what} works on the main thread only. A CPU thread can submit; return the taskId and ask there.`,
  );
}
