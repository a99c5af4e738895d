import { type DynamicModule, Injectable, Module } from '@nestjs/common';
import { FlowrraModule, type FlowrraService, Task } from 'flowrra';

/** The task of the snippets about submissions and results. */
@Injectable()
export class ReceiptTasks {
  readonly sent: string[] = [];

  @Task()
  async sendReceipt(order: string): Promise<{ sentAt: Date }> {
    this.sent.push(order);
    return { sentAt: new Date() };
  }
}

/** Stands in for an application's configuration. */
@Injectable()
export class Settings {
  readonly workers = 2;
}

@Module({ providers: [Settings], exports: [Settings] })
export class SettingsModule {}

export function configured(): DynamicModule {
  return (
    // #region async
    FlowrraModule.forRootAsync({
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: (settings: Settings) => ({ numWorkers: settings.workers }),
    })
    // #endregion
  );
}

/** The same application on each engine. */
export function engines(): DynamicModule[] {
  return [
    // #region engines
    FlowrraModule.forRoot({ engine: 'memory:' }), // the default
    FlowrraModule.forRoot({ engine: 'sqlite:./tasks.db' }),
    FlowrraModule.forRoot({ engine: 'redis://localhost:6379' }),
    FlowrraModule.forRoot({ engine: 'postgres://app@localhost/app' }),
    // #endregion
  ];
}

export async function registered(flowrra: FlowrraService): Promise<string> {
  // #region register
  function tidy(folder: string): string {
    return `${folder} is tidy`;
  }
  flowrra.register({ name: 'tidy', maxRetries: 1 }, tidy);
  const taskId = await flowrra.submit(tidy, './uploads');
  // #endregion
  return taskId;
}

export async function idempotent(flowrra: FlowrraService, emails: ReceiptTasks): Promise<string> {
  // #region idempotent
  const taskId = await flowrra.with({ taskId: 'order-42-receipt' }).submit(emails.sendReceipt, 'order-42');
  // #endregion
  return taskId;
}

export async function submitting(flowrra: FlowrraService, emails: ReceiptTasks): Promise<string[]> {
  // #region submitting
  // through the class, which needs no instance
  const id = await flowrra.tasks(ReceiptTasks).sendReceipt('order-1');
  // with options
  await flowrra.with({ priority: 1, delay: '5m' }).tasks(ReceiptTasks).sendReceipt('order-2');
  // by the method
  await flowrra.submit(emails.sendReceipt, 'order-3');
  // by name
  await flowrra.submit('ReceiptTasks.sendReceipt', 'order-4');
  // many at once
  const ids = await flowrra.submitMany(emails.sendReceipt, [['order-5'], ['order-6']]);
  // #endregion
  return [id, ...ids];
}

export async function results(flowrra: FlowrraService, emails: ReceiptTasks): Promise<unknown> {
  const id = await flowrra.submit(emails.sendReceipt, 'order-7');
  // #region results
  const result = await flowrra.waitForResult(id, { timeout: '10s' });
  if (result.isSuccess) console.log(result.result.sentAt);
  else console.log(result.status, result.error, result.errors.length);
  const now = await flowrra.getResult(id); // at any time, or null
  // #endregion
  return now?.result;
}
