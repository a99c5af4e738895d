/** Names of attributes: those of OpenTelemetry's conventions for messaging, and a few of our own. */
export const ATTRIBUTES = {
  system: 'messaging.system',
  queue: 'messaging.destination.name',
  taskId: 'messaging.message.id',
  batch: 'messaging.batch.message_count',
  operation: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  errorType: 'error.type',
  task: 'flowrra.task.name',
  attempt: 'flowrra.attempt',
  /** What became of an attempt: `success`, `failed`, `retry`, `snoozed`, `cancelled` or `released`. */
  outcome: 'flowrra.outcome',
  /** Of a job: what its result says. */
  status: 'flowrra.status',
} as const;

interface OfTask {
  readonly taskName: string;
  readonly queue: string;
}

/** What every span and every measurement says of its task. */
export function attributesOf({ taskName, queue }: OfTask): Record<string, string> {
  return { [ATTRIBUTES.system]: 'flowrra', [ATTRIBUTES.queue]: queue, [ATTRIBUTES.task]: taskName };
}
