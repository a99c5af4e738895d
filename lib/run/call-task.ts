import { isObservable, lastValueFrom } from 'rxjs';
import { isolated } from '../job/async.js';
import type { Attempt } from '../job/job.js';
import { contextOf } from '../job/metadata.js';
import type { ContextOptions } from '../job/task-options.js';
import type { AttemptSpan } from './instrumentation.js';
import type { HostedCall, TaskDefinition, TaskRunner } from './task-definition.js';

/** Calls a function in some context, and returns its answer. */
export type Within = <R>(code: () => R) => R;

export interface CallParts {
  readonly runners: { readonly inline: TaskRunner; readonly cpu: TaskRunner };
  /** Runs an attempt in its submitter's context; `null` if no context is captured. */
  readonly context: Pick<ContextOptions, 'run'> | null;
}

/**
 * Calls a task's code inside its span, its submitter's context and its enhancers. Returns its value, or a native
 * promise of it.
 *
 * Only the code runs in an async context of its own: what follows it must not carry that context into
 * the next attempt.
 */
export function callTask(
  task: TaskDefinition,
  call: HostedCall & { readonly attempt: Attempt },
  parts: CallParts,
  span: AttemptSpan | null,
  within: Within | undefined,
): unknown {
  const run = (): unknown => runTask(task, call, parts);
  const traced = span === null ? run : (): unknown => span.within(run);
  return isolated(within === undefined ? traced : (): unknown => within(traced));
}

function runTask(
  task: TaskDefinition,
  call: HostedCall & { readonly attempt: Attempt },
  { runners, context }: CallParts,
): unknown {
  const runner = task.cpuBound ? runners.cpu : runners.inline;
  return native(
    context === null && task.pipeline === null
      ? runner.run(task, call)
      : runEnhanced(task, call, runner, context),
  );
}

/** Apart: V8 calls a function that contains a closure more slowly, even if it creates none. */
function runEnhanced(
  task: TaskDefinition,
  call: HostedCall & { readonly attempt: Attempt },
  runner: TaskRunner,
  context: CallParts['context'],
): unknown {
  const { pipeline } = task;
  const run = (): unknown => runner.run(task, call);
  const enhanced = pipeline === null ? run : (): unknown => pipeline.run(call, run);
  return context === null ? enhanced() : context.run(contextOf(call.attempt.metadata), enhanced);
}

/** Observables and foreign thenables as native promises; every other value unchanged. */
function native(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Promise) return value;
  if (isObservable(value)) return lastValueFrom(value, { defaultValue: undefined });
  return typeof (value as { then?: unknown }).then === 'function' ? Promise.resolve(value) : value;
}
