import { metadataOf } from '../../job/metadata.js';
import { FlowrraConfigError } from '../../job/errors.js';
import type { Dedupe, NewJob } from '../../job/job.js';
import type { DrainReport, Engine } from '../../engine/engine.js';
import type { MaybePromise } from '../../job/async.js';
import type { JobControl } from '../../engine/control.js';
import type { DedupeOptions } from '../../job/task-options.js';
import { ResultBackend } from '../../results/result-backend.js';
import type { ThreadLink } from './parent-link.js';

/** The engine of an application inside one of our threads: it runs nothing and submits to its parent. */
export class ThreadLinkEngine implements Engine {
  readonly name = 'thread';
  readonly durable = false;
  readonly results = new NoResults();
  readonly control = new NoControl();

  constructor(private readonly link: ThreadLink) {}

  connect(): void {}

  consume(): void {}

  async drain(): Promise<DrainReport> {
    return { unfinished: 0, dropped: 0 };
  }

  enqueue({ taskName, args, taskId, priority, delay, overrides, metadata, dedupe }: NewJob): Promise<string> {
    const debounced = dedupe?.mode === 'debounce';
    // As it was given: what the core has added is the parent's to add.
    const { validFrom: _validFrom, ...given } = overrides ?? {};
    const own = metadataOf(metadata);
    return this.link.submit(taskName, [...args], {
      taskId,
      priority,
      ...(!debounced && { delay }),
      ...given,
      ...(Object.keys(own).length > 0 && { metadata: own }),
      ...(dedupe && { dedupe: submitted(taskName, dedupe) }),
    });
  }

  enqueueMany(jobs: readonly NewJob[]): Promise<string[]> {
    return Promise.all(jobs.map((job) => this.enqueue(job)));
  }

  pendingCount(): MaybePromise<number> {
    throw notHere('pendingCount()');
  }

  close(): void {}
}

/** As it was given: the parent puts the task's name before the key, and finds a `ttl` where none belongs wrong. */
function submitted(taskName: string, { key, mode, ttl }: Dedupe): DedupeOptions {
  const own = { key: key.slice(taskName.length + 1), mode };
  return mode === 'ignore' ? own : { ...own, ttl };
}

class NoControl implements JobControl {
  cancel(): never {
    throw notHere('cancel()');
  }

  report(): never {
    throw notHere('progress');
  }

  job(): never {
    throw notHere('jobs.get()');
  }

  find(): never {
    throw notHere('jobs.find()');
  }

  counts(): never {
    throw notHere('jobs.counts()');
  }

  retry(): never {
    throw notHere('jobs.retry()');
  }

  remove(): never {
    throw notHere('jobs.remove()');
  }

  pause(): never {
    throw notHere('queues.pause()');
  }

  resume(): never {
    throw notHere('queues.resume()');
  }
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
