/** The names of attributes: those of OpenTelemetry's conventions for messaging, and those of Flowrra. */
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
  /** The outcome of an attempt: `success`, `failed`, `retry`, `snoozed`, `cancelled` or `released`. */
  outcome: 'flowrra.outcome',
  /** The status of a job's result. */
  status: 'flowrra.status',
  schedule: 'flowrra.schedule.name',
  /** Why an occurrence was skipped: `missed` or `overlap`. */
  skipReason: 'flowrra.schedule.skip_reason',
} as const;

interface OfTask {
  readonly taskName: string;
  readonly queue: string;
}

/** The attributes of every span and of every measurement of a task. */
export function attributesOf({ taskName, queue }: OfTask): Record<string, string> {
  return { [ATTRIBUTES.system]: 'flowrra', [ATTRIBUTES.queue]: queue, [ATTRIBUTES.task]: taskName };
}
