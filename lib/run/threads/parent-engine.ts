import { metadataOf } from '../../job/metadata.js';
import type { Dedupe, NewJob } from '../../job/job.js';
import { lacksInThread } from '../../engine/capabilities.js';
import type { Capability, ConnectedEngine, DrainReport, Engine } from '../../engine/engine.js';
import type { MaybePromise } from '../../job/async.js';
import type { DedupeOptions } from '../../job/submit-options.js';
import type { ParentLink } from './parent-link.js';

/** The engine of an application in a CPU thread: it submits jobs through the parent application, and runs none. */
export class ParentEngine implements Engine, ConnectedEngine {
  readonly name = 'thread';
  readonly durable = false;
  /** The parent runs the jobs, and applies the limits. */
  readonly supports: ReadonlySet<Capability> = new Set(['shared', 'fleetLimits']);

  constructor(private readonly link: ParentLink) {}

  connect(): this {
    return this;
  }

  consume(): void {}

  async drain(): Promise<DrainReport> {
    return { unfinished: 0, dropped: 0 };
  }

  enqueue({
    taskName,
    args,
    taskId,
    priority,
    delay,
    overrides,
    metadata,
    dedupe,
    tags,
  }: NewJob): Promise<string> {
    const debounced = dedupe?.mode === 'debounce';
    // Without `validFrom`: the parent adds it again.
    const { validFrom: _validFrom, ...given } = overrides ?? {};
    const own = metadataOf(metadata);
    return this.link.submit(taskName, [...args], {
      taskId,
      priority,
      ...(!debounced && { delay }),
      ...given,
      ...(Object.keys(own).length > 0 && { metadata: own }),
      ...(tags && { tags }),
      ...(dedupe && { dedupe: submitted(taskName, dedupe) }),
    });
  }

  enqueueMany(jobs: readonly NewJob[]): Promise<string[]> {
    return Promise.all(jobs.map((job) => this.enqueue(job)));
  }

  pendingCount(): MaybePromise<number> {
    throw lacksInThread(this, 'pendingCount');
  }

  close(): void {}
}

/** As the options were given: the parent adds the task's name to the key, and rejects a `ttl` of the mode `'ignore'`. */
function submitted(taskName: string, { key, mode, ttl }: Dedupe): DedupeOptions {
  const own = { key: key.slice(taskName.length + 1), mode };
  return mode === 'ignore' ? own : { ...own, ttl };
}
