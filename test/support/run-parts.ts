import { jest } from '@jest/globals';
import type { Attempt } from '../../lib/job/job.js';
import { PayloadCodec } from '../../lib/job/payload/payload-codec.js';
import type { Outcome } from '../../lib/job/outcome.js';
import type { TaskPolicy } from '../../lib/job/policy.js';
import { EventHub } from '../../lib/run/event-hub.js';
import { InlineRunner } from '../../lib/run/task-runner.js';
import { Run, type RunParts } from '../../lib/run/run.js';
import { RunObserver } from '../../lib/run/run-observer.js';
import type { TaskCall, TaskDefinition } from '../../lib/run/task-definition.js';
import { UnknownTasks } from '../../lib/run/unknown-tasks.js';
import { ManualClock } from './manual-clock.js';

const POLICY: TaskPolicy = {
  maxRetries: 0,
  retryDelay: 1_000,
  backoff: 'fixed',
  maxRetryDelay: 60_000,
  jitter: false,
  timeout: Infinity,
  killGrace: 5_000,
  expires: Infinity,
  deadLetter: null,
};

/** An attempt that no store has handed out. */
export function attemptOf(values: Partial<Attempt> = {}): Attempt {
  return {
    taskId: 'id',
    taskName: 'task',
    queue: 'q',
    priority: 0,
    submittedAt: 1_700_000_000_000,
    retries: 0,
    overrides: undefined,
    metadata: undefined,
    startedAt: 1_700_000_000_000,
    errors: [],
    lost: false,
    args: () => [],
    ...values,
  };
}

/** The parts of runs of one task, `task`, which calls `code`. */
export function partsOf(
  code: (call: TaskCall) => unknown,
  policy: Partial<TaskPolicy> = {},
  parts: Partial<RunParts> = {},
): RunParts & { readonly clock: ManualClock; readonly events: string[] } {
  const clock = new ManualClock();
  const hub = new EventHub();
  const events: string[] = [];
  hub.events$.subscribe(({ type }) => events.push(type));
  const observer = new RunObserver(hub, clock);
  const codec = new PayloadCodec({ maxBytes: 1_000_000 });
  const definition: TaskDefinition = {
    name: 'task',
    queue: 'q',
    cpuBound: false,
    policy: { ...POLICY, ...policy },
    tags: undefined,
    contextIndex: null,
    undecoratedParameters: 0,
    invoke: (_args, call) => code(call),
    pipeline: null,
    validate: null,
    target: null,
  };
  const inline = new InlineRunner();
  return {
    registry: { definition: (name) => (name === 'task' ? definition : undefined) },
    unknownTasks: new UnknownTasks(),
    codec,
    observer,
    runners: { inline, cpu: inline },
    recorder: null,
    reports: { control: { report: () => undefined }, codec, observer, recorder: null, clock },
    deadLetters: { send: async () => true },
    once: () => {
      throw new Error('no outbox');
    },
    context: null,
    instrumentation: null,
    random: () => 0,
    durable: null,
    parents: null,
    noJournals: () => new Error('no journals'),
    ...parts,
    clock,
    events,
  };
}

/** Starts a run, and keeps its outcomes. */
export function started(parts: RunParts, attempt: Attempt = attemptOf()) {
  const run = new Run(attempt, parts);
  const ended = jest.fn<(outcome: Outcome) => void>();
  run.start(ended);
  return { run, ended };
}
