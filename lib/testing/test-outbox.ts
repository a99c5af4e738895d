import type { ConnectedOutbox, Outbox, OutboxHost, TransactionSink } from '../outbox/connected-outbox.js';
import { FlowrraConfigError } from '../job/errors.js';
import type { NewJob } from '../job/job.js';
import { withId } from '../outbox/outbox-job.js';
import { showValue } from '../job/show-value.js';

/** An outbox without a database: a submission in a transaction is one outside of it. */
export const testOutbox: Outbox = { connect: async (host) => new TestOutbox(host) };

class TestOutbox implements ConnectedOutbox {
  readonly stuck = { list: async () => [], retry: async () => false, remove: async () => false };
  /** The results of the blocks that have run, by job and name. */
  private readonly blocks = new Map<string, { readonly result: unknown }>();

  /** Submissions whose jobs may run inside of them. */
  private readonly submitting: Promise<unknown>[] = [];

  constructor(private readonly host: OutboxHost) {}

  within(transaction: unknown, place: string): TransactionSink {
    checkObject(transaction, place);
    return {
      isSync: true,
      library: 'the test kit',
      enqueue: (job) => this.enqueue([job])[0] as string,
      enqueueMany: (jobs) => this.enqueue(jobs),
    };
  }

  /** The jobs are stored at once, as in a synchronous transaction. */
  private enqueue(jobs: readonly NewJob[]): string[] {
    const identified = jobs.map(withId);
    const submitting = Promise.resolve(this.host.engine.enqueueMany(identified));
    // The next drain() of the test reports an error.
    submitting.catch(() => undefined);
    this.submitting.push(submitting);
    return identified.map(({ taskId }) => taskId);
  }

  joined(): null {
    return null;
  }

  async once(transaction: unknown, taskId: string, name: string, fn: () => unknown): Promise<unknown> {
    checkObject(transaction, 'ctx.once()');
    const key = JSON.stringify([taskId, name]);
    const known = this.blocks.get(key);
    if (known !== undefined) return known.result;
    const result = this.host.codec.copyResult(await fn());
    this.blocks.set(key, { result });
    return result;
  }

  onceSync(transaction: unknown, taskId: string, name: string, fn: () => unknown): unknown {
    checkObject(transaction, 'ctx.onceSync()');
    const key = JSON.stringify([taskId, name]);
    const known = this.blocks.get(key);
    if (known !== undefined) return known.result;
    const result = this.host.codec.copyResult(fn());
    this.blocks.set(key, { result });
    return result;
  }

  results<T>(engine: T): T {
    return engine;
  }

  control<T>(engine: T): T {
    return engine;
  }

  async untilRelayed(taskId: string): Promise<string> {
    return taskId;
  }

  start(): void {}

  async stop(): Promise<void> {}

  async relay(): Promise<number> {
    await Promise.all(this.submitting.splice(0));
    return 0;
  }

  async health() {
    return { oldestMs: null, stuck: 0 };
  }
}

function checkObject(transaction: unknown, place: string): void {
  if ((typeof transaction === 'object' && transaction !== null) || typeof transaction === 'function') return;
  throw new FlowrraConfigError(`${place}: ${showValue(transaction)} is no transaction.`);
}
