// The seam of engines
export type { Capability, ConnectedEngine, DrainReport, Engine, EngineEvent, EngineHost } from './engine.js';
export type {
  BulkConditions,
  BulkOperation,
  BulkStep,
  BulkSteps,
  Cancellation,
  ChangedJob,
  JobControl,
} from './control.js';
export type { JournalStore, PostAnswer } from './journal-store.js';
export type { ScheduleStore, ScheduleWrite, StoredSchedule } from './schedule-store.js';
export type { SqlConnection, SqlDialect, SqlRow, SqlValue } from './sql-connection.js';
export type { TransactionalSubmit } from './transactional-submit.js';
export type { Run } from '../run/run.js';
export type { Within } from '../run/call-task.js';
export type { AttemptSpan, StepSpan, StepTry } from '../run/instrumentation.js';
export type { DurableCalls, EachSource } from '../run/durable/durable-calls.js';

// The embedded engine, over a store
export { EmbeddedEngine } from './embedded/embedded-engine.js';
export {
  CHANGED,
  type JobStore,
  type OpenStore,
  type StoreConfig,
  type StoreEvent,
} from './embedded/job-store.js';

// Jobs as data
export {
  type Accepted,
  type Attempt,
  type AttemptError,
  type Dedupe,
  Duplicate,
  isFinal,
  type JobReport,
  type JobRow,
  type JobState,
  type LogLine,
  MAX_LOG_LINES,
  type Metadata,
  type NewJob,
  waitingStatus,
} from '../job/job.js';
export {
  cancelEntry,
  EMPTY_JOURNAL,
  type Journal,
  type JournalEntry,
  MAX_POSTS,
  wakeDelay,
} from '../job/journal/journal.js';
export { type NextState, nextState, type Outcome } from '../job/outcome.js';
export type { PolicyOverrides } from '../job/policy.js';
export {
  type BackPressure,
  type RateLimit,
  RateWindow,
  type ResolvedQueue,
  type Retention,
} from '../job/queue.js';
export { badCursor, type JobConditions, type JobQuery, matches, type RowPage } from '../job/query.js';
export { copyPlain } from '../job/payload/payload-codec.js';
export { payloadFromText, payloadToText } from '../job/payload/payload-text.js';
export { droppedResult, taskResultOf } from '../job/task-result.js';

// Parts for engines
export { detached, type MaybePromise } from '../job/async.js';
export { type IdleSignal, Runs } from '../run/runs.js';
export { AbortListeners, type Waiter, waitUntil } from '../results/wait-until.js';
export { Waiters } from '../results/waiters.js';
export { Admission } from './admission.js';
export { DedupeKeys, type KeyedJob, type KeyHolder } from './dedupe-keys.js';
export { Idle } from './idle.js';
