export * from './core/errors.js';
export type { Duration } from './core/duration.js';
export type { Clock } from './core/clock.js';
export type { DeadLetter } from './core/dead-letters.js';
export type { FlowrraEvent } from './core/events.js';
export type { JobDetails, JobLogLine, JobSummary } from './core/job-view.js';
export { TaskContext } from './core/task-context.js';
export type { FinishedTaskResult, TaskError, TaskResult, TaskStatus } from './core/task-result.js';
export { type TaskClass, TaskSubmission } from './core/task-submission.js';
export type { Plain, RemoteTasks, TaskArgs, TaskId, TaskOutput, TaskSubmitters } from './core/task-types.js';
export {
  OnTask,
  type OnTaskFilter,
  type TaskEvent,
  type TaskEventType,
} from './decorators/on-task.decorator.js';
export { TaskCtx } from './decorators/task-ctx.decorator.js';
export { Task } from './decorators/task.decorator.js';
export { TaskExecutionContext } from './enhancers/task-execution-context.js';
export type { Engine } from './engine/engine.interface.js';
export type { QueueCounts } from './engine/job-control.interface.js';
export { FlowrraExceptionFilter } from './flowrra.exception-filter.js';
export type { FlowrraJobs, JobPage } from './flowrra.jobs.js';
export type { FlowrraQueues } from './flowrra.queues.js';
export { FlowrraModule } from './flowrra.module.js';
export type { FlowrraModuleExtras, FlowrraOptionsFactory } from './flowrra.module-definition.js';
export {
  type CancelOptions,
  FlowrraService,
  type StopOptions,
  type WaitForResultOptions,
} from './flowrra.service.js';
export type { StandardSchema } from './options/standard-schema.js';
export type { JobFilter, JobFindOptions } from './options/job-query-options.js';
export type {
  ContextOptions,
  CpuOptions,
  FlowrraFeatureOptions,
  FlowrraModuleOptions,
  QueueOptions,
  RateLimitOptions,
  RemoteTaskOptions,
} from './options/module-options.js';
export type {
  Backoff,
  BatchJob,
  DedupeOptions,
  RegisterOptions,
  SubmitOptions,
  TaskOptions,
  TaskOverrideOptions,
  TaskPolicyOptions,
} from './options/task-options.js';
export { InMemoryBackend, type InMemoryBackendOptions } from './results/in-memory-backend.js';
export { ResultBackend, type WaitOptions } from './results/result-backend.js';
export { deserializeResult, serializeResult } from './results/serialize-result.js';
