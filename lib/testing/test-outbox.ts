import type { ConnectedOutbox, Outbox, OutboxHost, TransactionSink } from '../outbox/connected-outbox.js';
import { FlowrraConfigError } from '../job/errors.js';
import { showValue } from '../job/show-value.js';

/** An outbox without a database: a submission in a transaction is one outside of it. */
export const testOutbox: Outbox = { connect: async (host) => new TestOutbox(host) };

class TestOutbox implements ConnectedOutbox {
  readonly stuck = { list: async () => [], retry: async () => false, remove: async () => false };
  /** The results of the blocks that have run, by job and name. */
  private readonly blocks = new Map<string, { readonly result: unknown }>();

  constructor(private readonly host: OutboxHost) {}

  within(transaction: unknown, place: string): TransactionSink {
    checkObject(transaction, place);
    const { engine } = this.host;
    return {
      isSync: true,
      library: 'the test kit',
      enqueue: (job) => engine.enqueue(job) as string,
      enqueueMany: (jobs) => engine.enqueueMany(jobs) as string[],
    };
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
