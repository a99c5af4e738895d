import { keysOf } from '../job/check.js';
import { FlowrraConfigError } from '../job/errors.js';
import type { ResolvedQueue } from '../job/queue.js';
import type { ResultBackend } from '../results/result-backend.js';
import type { JobControl } from './control.js';
import type { ConnectedEngine, Engine } from './engine.js';
import type { JournalStore } from './journal-store.js';
import type { ScheduleStore } from './schedule-store.js';
import type { TransactionalSubmit } from './transactional-submit.js';

/** The settings that may need a capability. */
export interface EngineUse {
  readonly role: 'producer' | 'worker' | 'all';
  readonly queues: readonly ResolvedQueue[];
}

const METHODS = keysOf<
  Omit<ConnectedEngine, 'results' | 'control' | 'schedules' | 'journals' | 'transactions' | 'watch'>
>({
  enqueue: true,
  enqueueMany: true,
  pendingCount: true,
  consume: true,
  drain: true,
  close: true,
});
const RESULTS: readonly (keyof ResultBackend)[] = ['get', 'waitFor'];
const CONTROL = keysOf<JobControl>({
  cancel: true,
  report: true,
  job: true,
  find: true,
  counts: true,
  retry: true,
  remove: true,
  bulk: true,
  pause: true,
  resume: true,
});
const SCHEDULES = keysOf<ScheduleStore>({ earliest: true, get: true, page: true, put: true, remove: true });
const TRANSACTIONS = keysOf<Omit<TransactionalSubmit, 'dialect'>>({ isSameDatabase: true, submit: true });
const JOURNALS = keysOf<Omit<JournalStore, 'forgetsEnding'>>({
  read: true,
  append: true,
  post: true,
  forget: true,
});

const WITHOUT = {
  results: 'it stores none. Configure a backend: forRoot({ backend }).',
  control: 'it can neither cancel, find, retry, remove and count jobs nor pause queues.',
  schedules: 'it stores none, so no @Cron(), no @Interval() and no schedules.set() is possible.',
  journals:
    'it keeps no journals, so no task can use ctx.step(), sleep(), waitFor(), call(), submit() and each().',
} as const;

/** @throws {FlowrraConfigError} naming the engine and the first setting in use that it does not support. */
export function checkCapabilities(engine: Engine, { role, queues }: EngineUse): void {
  if (role === 'producer' && !engine.supports.has('shared'))
    throw unsupported(engine, "role: 'producer'", "no other process can run its jobs. Use role: 'all'.");
  if (engine.supports.has('fleetLimits')) return;
  for (const { name, fleetConcurrency, fleetRateLimit } of queues) {
    const option =
      fleetConcurrency !== Infinity ? 'fleetConcurrency' : fleetRateLimit === null ? null : 'fleetRateLimit';
    if (option !== null)
      throw unsupported(engine, `${option} of queue '${name}'`, 'it cannot limit all processes together.');
  }
}

/** @throws {FlowrraConfigError} naming a member that the connected engine lacks. */
export function checkConnected(engine: Engine, connected: ConnectedEngine): void {
  const { supports } = engine;
  const missing =
    missingMethod(connected, '', METHODS) ??
    (supports.has('results') ? missingMethod(connected.results, 'results.', RESULTS) : null) ??
    (supports.has('control') ? missingMethod(connected.control, 'control.', CONTROL) : null) ??
    (supports.has('schedules') ? missingMethod(connected.schedules, 'schedules.', SCHEDULES) : null) ??
    (supports.has('journals') ? missingMethod(connected.journals, 'journals.', JOURNALS) : null) ??
    (supports.has('transactions')
      ? missingMethod(connected.transactions, 'transactions.', TRANSACTIONS)
      : null);
  if (missing === null) return;
  throw new FlowrraConfigError(
    `engine: the method ${missing}() is missing. What connect() of the engine '${engine.name}' returns must implement ConnectedEngine, with the members that the engine supports.`,
  );
}

/** The error for the use of an optional member that the engine lacks. */
export function lacks(engine: Engine, feature: keyof typeof WITHOUT): FlowrraConfigError {
  return unsupported(engine, feature, WITHOUT[feature]);
}

/** The error for the use of a member that no engine has in a CPU thread. */
export function lacksInThread(
  engine: Engine,
  feature: keyof typeof WITHOUT | 'pendingCount',
): FlowrraConfigError {
  return unsupported(
    engine,
    feature,
    'in a CPU thread, tasks can only be submitted. Return the taskId, and use it on the main thread.',
  );
}

function unsupported({ name }: Engine, feature: string, reason: string): FlowrraConfigError {
  return new FlowrraConfigError(`The engine '${name}' does not support ${feature}: ${reason}`);
}

function missingMethod(owner: object | undefined, path: string, methods: readonly string[]): string | null {
  const members = (owner ?? {}) as Readonly<Record<string, unknown>>;
  const missing = methods.find((name) => typeof members[name] !== 'function');
  return missing === undefined ? null : `${path}${missing}`;
}
