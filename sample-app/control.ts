import { type DynamicModule, Injectable, Logger } from '@nestjs/common';
import {
  type DeadLetter,
  FatalTaskError,
  FlowrraModule,
  type FlowrraService,
  type JobSummary,
  RetryTaskError,
  SnoozeTaskError,
  Task,
} from 'flowrra';
import { currentTask } from 'flowrra/current-task';

/** The tasks of the snippets about control. */
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

/** Stands in for a client of a bank. */
@Injectable()
export class Bank {
  answers: string[] = [];

  async pay(_account: string): Promise<string> {
    return this.answers.shift() ?? 'paid';
  }
}

// #region steer
@Injectable()
export class PaymentTasks {
  constructor(private readonly bank: Bank) {}

  @Task({ maxRetries: 5, retryDelay: '2s', backoff: 'exponential', timeout: '10s' })
  async pay(account: string): Promise<string> {
    const answer = await this.bank.pay(account);
    if (answer === 'no such account') throw new FatalTaskError(answer); // fails now
    if (answer === 'too many requests') throw new RetryTaskError('30s'); // retries after 30 s
    if (answer === 'closed for the night') throw new SnoozeTaskError('1h'); // uses no retry
    if (answer !== 'paid') throw new Error(answer); // retries after 2 s, 4 s, 8 s …
    return answer;
  }
}
// #endregion

// #region current-task
function audit(message: string): void {
  currentTask()?.log(message); // the job's own log; outside of a task, nothing happens
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
        bank: { fleetConcurrency: 1, fleetRateLimit: { max: 100, per: '1m' } }, // in all processes together
      },
    })
    // #endregion
  );
}

export async function unique(flowrra: FlowrraService, invoices: InvoiceTasks): Promise<string[]> {
  // #region dedupe
  // no second job while one with this key is unfinished
  const once = flowrra.with({ dedupe: { key: 'order-1' } });
  // at most one job per hour
  const hourly = flowrra.with({ dedupe: { key: 'order-2', mode: 'throttle', ttl: '1h' } });
  // one job, 10 s after the last call, with the arguments of that call
  const settled = flowrra.with({ dedupe: { key: 'order-3', mode: 'debounce', ttl: '10s' } });
  const id = await once.submit(invoices.create, 'order-1');
  // #endregion
  return [id, await hourly.submit(invoices.create, 'b'), await settled.submit(invoices.create, 'c')];
}

// #region tags
@Injectable()
export class RefundTasks {
  readonly done: number[] = [];

  @Task({ tags: (refund: { customer: number }) => ['refund', `customer:${refund.customer}`] })
  async refund(refund: { customer: number }): Promise<void> {
    this.done.push(refund.customer);
  }
}

export async function refundAll(flowrra: FlowrraService, refunds: RefundTasks): Promise<JobSummary[]> {
  await flowrra.with({ tags: ['recall-2026'] }).submit(refunds.refund, { customer: 17 });
  const { jobs } = await flowrra.jobs.find({ tag: 'customer:17' });
  return [...jobs]; // jobs[0].tags: ['refund', 'customer:17', 'recall-2026']
}
// #endregion

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
  await flowrra.queues.pause('invoices'); // in all processes; running jobs continue
  await flowrra.queues.resume('invoices');

  const counts = await flowrra.jobs.counts(); // by queue and status
  const { jobs, cursor } = await flowrra.jobs.find({ status: 'failed', task: 'InvoiceTasks.book' });
  const details = await flowrra.jobs.get(taskId); // with arguments, errors and log
  await flowrra.jobs.retry(taskId); // under its id, with all its retries
  await flowrra.jobs.retryAll({ queue: 'invoices', from: new Date(Date.now() - 3_600_000) });
  await flowrra.jobs.remove(taskId);
  await flowrra.jobs.cancelAll({ tag: 'customer:17' }, { reason: 'The customer has left' });
  // #endregion
  return { counts, jobs, cursor, details };
}
