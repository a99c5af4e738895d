import { type DynamicModule, Injectable, Logger } from '@nestjs/common';
import { type DeadLetter, FlowrraModule, type FlowrraService, Task } from 'flowrra';
import { currentTask } from 'flowrra/current-task';

/** What the snippets of the README on control speak of. */
@Injectable()
export class InvoiceTasks {
  readonly done: string[] = [];

  @Task({ timeout: '30s', killGrace: '2s', expires: '1h' })
  async create(order: string): Promise<void> {
    this.done.push(order);
    audit(`invoice of ${order}`);
  }

  @Task({ maxRetries: 0 })
  async book(order: string): Promise<void> {
    throw new Error(`no account for ${order}`);
  }
}

// #region current-task
function audit(what: string): void {
  currentTask()?.log(what); // the job's own log, and nothing outside of a task
}
// #endregion

// #region dead-letter
@Injectable()
export class Operations {
  private readonly logger = new Logger('Operations');
  readonly letters: DeadLetter[] = [];

  @Task()
  async receive(letter: DeadLetter): Promise<void> {
    this.letters.push(letter);
    this.logger.error(`${letter.taskName} failed for good: ${letter.errors.at(-1)?.message}`);
  }
}
// #endregion

export function limited(): DynamicModule {
  return (
    // #region limits
    FlowrraModule.forRoot({
      deadLetter: 'Operations.receive',
      queues: {
        invoices: { concurrency: 5, rateLimit: { max: 10, per: '1s' } }, // in this process
        bank: { fleetConcurrency: 1, fleetRateLimit: { max: 100, per: '1m' } }, // in all of them together
      },
    })
    // #endregion
  );
}

export async function unique(flowrra: FlowrraService, invoices: InvoiceTasks): Promise<string[]> {
  // #region dedupe
  // while one for this order waits or runs, it is that one
  const once = flowrra.with({ dedupe: { key: 'order-1' } });
  // at most one an hour
  const hourly = flowrra.with({ dedupe: { key: 'order-2', mode: 'throttle', ttl: '1h' } });
  // when nothing has changed for ten seconds, with the arguments of the last call
  const settled = flowrra.with({ dedupe: { key: 'order-3', mode: 'debounce', ttl: '10s' } });
  const id = await once.submit(invoices.create, 'order-1');
  // #endregion
  return [id, await hourly.submit(invoices.create, 'b'), await settled.submit(invoices.create, 'c')];
}

export async function batch(flowrra: FlowrraService, invoices: InvoiceTasks): Promise<string[]> {
  // #region batch
  const ids = await flowrra
    .with({ priority: 5 })
    .submitMany(invoices.create, [
      ['order-1'],
      { args: ['order-2'], priority: 1, metadata: { tenant: 'ada' } },
      { args: ['order-3'], delay: '10m' },
    ]);
  // #endregion
  return ids;
}

export async function operate(flowrra: FlowrraService, taskId: string): Promise<unknown> {
  // #region operate
  await flowrra.queues.pause('invoices'); // in all processes; what runs goes on
  await flowrra.queues.resume('invoices');

  const counts = await flowrra.jobs.counts(); // by queue and status
  const { jobs, cursor } = await flowrra.jobs.find({
    status: 'failed',
    task: 'InvoiceTasks.book',
    limit: 20,
  });
  const details = await flowrra.jobs.get(taskId); // with arguments, errors and log
  await flowrra.jobs.retry(taskId); // under its id, with all its retries
  await flowrra.jobs.retryAll({ queue: 'invoices', from: new Date(Date.now() - 3_600_000) });
  await flowrra.jobs.remove(taskId);
  // #endregion
  return { counts, jobs, cursor, details };
}
