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
  /** The outcome of an attempt: `success`, `failed`, `retry`, `snoozed`, `suspended`, `cancelled` or `released`. Of a step: `success`, `failed` or `retry`. */
  outcome: 'flowrra.outcome',
  /** The status of a job's result. */
  status: 'flowrra.status',
  /** The name of a step. Metrics have it without the number of a repeated name. */
  step: 'flowrra.step.name',
  /** `step`, or `undo` for a step that is undone. */
  stepKind: 'flowrra.step.kind',
  /** The number of earlier tries of a step. */
  stepRetries: 'flowrra.step.retries',
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

/** The name of a step without the number of a repeated name. */
export function baseName(step: string): string {
  return step.replace(/:\d+$/, '');
}
