// sample-app/transactions/operations.ts
import { writeFile } from 'node:fs/promises';
import type { FlowrraService, TaskId } from 'flowrra';
import { outboxSchema } from 'flowrra/outbox';
import type { MailTasks } from './mail.tasks.js';

export async function submitWithin(
  flowrra: FlowrraService,
  tx: object,
  mail: MailTasks,
): Promise<(TaskId | TaskId[])[]> {
  // #region within
  const within = flowrra.within(tx);
  const ids = [
    await within.submit(mail.receipt, 'order-1'),
    await within.with({ delay: '1h', priority: 5 }).submit(mail.receipt, 'order-2'),
    await within.submitMany(mail.receipt, [['order-3'], ['order-4']]), // in one statement
    await within.submit('MailTasks.receipt', 'order-5'),
  ];
  // #endregion
  return ids;
}

export async function operate(flowrra: FlowrraService): Promise<void> {
  // #region operate
  const { oldestMs, stuck } = await flowrra.outbox.health();
  console.log(`The oldest job waits for ${oldestMs ?? 0} ms, and ${stuck} jobs are stuck.`);
  for (const { taskId, taskName, tries, error } of await flowrra.outbox.stuck()) {
    console.log(`${taskName} was tried ${tries} times: ${error}`);
    await flowrra.outbox.retry(taskId); // or remove(taskId): then it never runs
  }
  // #endregion
}

export async function writeMigration(file: string): Promise<void> {
  // #region schema
  await writeFile(file, outboxSchema('postgres', { name: 'shop', schema: 'jobs' }));
  // #endregion
}
