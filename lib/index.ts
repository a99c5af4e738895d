export * from './job/errors.js';
export * from './job/durable-errors.js';
export { FatalTaskError, RetryTaskError, SnoozeTaskError } from './job/task-control-errors.js';
export type { Duration } from './job/duration.js';
export type { Clock } from './job/clock.js';
export type { DeadLetter } from './run/dead-letters.js';
export type { FlowrraEvent } from './job/events.js';
export type { JobDetails, JobLogLine, JobSummary } from './job/job-view.js';
export { ChildCalls } from './run/child-calls.js';
export { TaskContext, type TaskSchedule } from './run/task-context.js';
export type { JobStep } from './job/journal/journal-view.js';
export type {
  ChildOptions,
  EachOptions,
  StepCall,
  StepOptions,
  WaitForOptions,
} from './job/durable-options.js';
export type { OnceOptions } from './job/once-options.js';
export type { FinishedTaskResult, TaskError, TaskResult } from './job/task-result.js';
export type { TaskUpdate, TaskUpdateError, TaskUpdateLine } from './job/task-update.js';
export type { TaskStatus } from './job/job.js';
export { type TaskClass, TaskSubmission } from './run/task-submission.js';
export type { Plain, RemoteTasks, TaskArgs, TaskId, TaskOutput, TaskSubmitters } from './run/task-types.js';
export {
  OnTask,
  type OnTaskFilter,
  type TaskEvent,
  type TaskEventType,
} from './nest/decorators/on-task.decorator.js';
export { CronExpression } from './nest/decorators/cron-expression.js';
export {
  Cron,
  type CronOptions,
  Interval,
  type IntervalOptions,
} from './nest/decorators/schedule.decorators.js';
export { Task, TaskCtx } from './nest/decorators/task.decorator.js';
export { TaskExecutionContext } from './nest/enhancers/task-execution-context.js';
export type { Engine } from './engine/engine.js';
export type { QueueCounts } from './job/query.js';
export { FlowrraExceptionFilter } from './nest/flowrra.exception-filter.js';
export type { FlowrraJobs, JobPage } from './nest/flowrra.jobs.js';
export type { FlowrraOutbox } from './nest/flowrra.outbox.js';
export type { OutboxHealth } from './outbox/connected-outbox.js';
export type { FlowrraQueues } from './nest/flowrra.queues.js';
export type { FlowrraSchedules, PauseScheduleOptions } from './nest/flowrra.schedules.js';
export type { ScheduleOptions, ScheduleRuleOptions } from './job/schedule/schedule-options.js';
export type { ScheduleDetails, ScheduleHistoryEntry, ScheduleInfo } from './job/schedule/schedule-view.js';
export { FlowrraModule } from './nest/flowrra.module.js';
export type { FlowrraModuleExtras, FlowrraOptionsFactory } from './nest/flowrra.module-definition.js';
export type { SubmissionWithin } from './nest/submission-within.js';
export { FlowrraService } from './nest/flowrra.service.js';
export type {
  CancelOptions,
  RetryOptions,
  SignalOptions,
  StopOptions,
  WaitForResultOptions,
} from './nest/options/service-options.js';
export { toMessageEvents } from './nest/to-message-events.js';
export type { StandardSchema } from './job/standard-schema.js';
export type { JobBulkFilter, JobFilter, JobFindOptions } from './nest/options/job-query-options.js';
export type { CpuOptions } from './nest/options/cpu-options.js';
export type { FlowrraModuleOptions, ScheduleOverrideOptions } from './nest/options/module-options.js';
export type { RemoteTaskOptions } from './nest/options/remote-task-options.js';
export type { FlowrraFeatureOptions, QueueOptions, RateLimitOptions } from './nest/options/queue-options.js';
export type { Backoff } from './job/policy.js';
export type { BatchJob, DedupeOptions, SubmitOptions } from './job/submit-options.js';
export type {
  ContextOptions,
  RegisterOptions,
  TaskOptions,
  TaskOverrideOptions,
  TaskPolicyOptions,
} from './job/task-options.js';
export { InMemoryBackend, type InMemoryBackendOptions } from './results/in-memory-backend.js';
export { ResultBackend, type WaitOptions } from './results/result-backend.js';
export { deserializeResult, serializeResult } from './results/serialize-result.js';
