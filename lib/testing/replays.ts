import { inspect } from 'node:util';
import { DurableTaskError } from '../job/durable-errors.js';
import type { Attempt } from '../job/job.js';
import { roundOf } from '../job/journal/journal-record.js';
import type { Outcome } from '../job/outcome.js';
import { showValue } from '../job/show-value.js';
import type { DurableCall, DurableProbe } from '../run/durable/durable-probe.js';

/** The calls of one attempt: the arguments as text, by kind and name, in the order of the calls. */
type Calls = Map<string, string>;

interface JobCalls {
  /** Attempts are compared with those of the same round only: a retry may take another path. */
  readonly round: number;
  /** The calls of the attempt before. */
  earlier: Calls;
  current: Calls;
}

/** The methods of `ctx` whose names differ from the kinds of the journal. */
const METHODS: Readonly<Record<string, string>> = { wait: 'waitFor' };
const HINT =
  'Put the code that decides this into a step, so that each run of the method gets the same answer.';

/** Compares the durable calls of each run of a method with those of the run before. */
export class Replays implements DurableProbe {
  private readonly jobs = new Map<string, JobCalls>();
  private problem: DurableTaskError | null = null;

  began(attempt: Attempt, { kind, name, args }: DurableCall): void {
    const round = roundOf(attempt);
    let calls = this.jobs.get(attempt.taskId);
    if (calls?.round !== round) {
      calls = { round, earlier: new Map(), current: new Map() };
      this.jobs.set(attempt.taskId, calls);
    }
    calls.current.set(`${METHODS[kind] ?? kind} ${showValue(name)}`, shown(args));
  }

  /** The attempt has ended. */
  settled(attempt: Attempt, outcome: Outcome): void {
    const calls = this.jobs.get(attempt.taskId);
    if (calls === undefined) return;
    const { earlier, current } = calls;
    calls.current = new Map();
    // An attempt that has failed may end before the calls of the one before.
    if (outcome.kind !== 'suspended' && outcome.kind !== 'success') return;
    const problem = difference(earlier, current);
    if (problem !== null)
      this.problem ??= new DurableTaskError(
        `Replay of ${attempt.taskName} (job ${attempt.taskId}): ${problem} ${HINT}`,
      );
    if (outcome.kind === 'success') this.jobs.delete(attempt.taskId);
    else calls.earlier = current;
  }

  /** @throws {DurableTaskError} once for the first difference. */
  check(): void {
    const { problem } = this;
    this.problem = null;
    if (problem !== null) throw problem;
  }
}

/** How a run differs from the one before, as a sentence; `null` if it does not. A run may make further calls. */
function difference(earlier: Calls, current: Calls): string | null {
  const order = [...current.keys()].filter((call) => earlier.has(call));
  let position = 0;
  for (const [call, args] of earlier) {
    const again = current.get(call);
    if (again === undefined)
      return `the method called ctx.${call} before, and did not call it when it was run again.`;
    if (again !== args)
      return `the method called ctx.${call} with ${args} before, and with ${again} when it was run again.`;
    const other = order[position++];
    if (other !== call)
      return `the method called ctx.${call} first before, and ctx.${other} first when it was run again.`;
  }
  return null;
}

function shown(args: readonly unknown[]): string {
  return inspect(args, {
    depth: Infinity,
    maxArrayLength: null,
    maxStringLength: null,
    breakLength: Infinity,
    sorted: true,
  });
}
