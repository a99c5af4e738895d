import { createHash } from 'node:crypto';
// Not the global one, which a test runner's fake timers replace.
import { setImmediate } from 'node:timers';
import { detached } from '../../job/async.js';
import type { Clock } from '../../job/clock.js';
import { type ChildOptions, splitChildOptions } from '../../job/durable-options.js';
import { EngineError, SubmitUncertainError } from '../../job/errors.js';
import { type Attempt, isFinal } from '../../job/job.js';
import { type CallRecord, type ChildRecord, roundOf } from '../../job/journal/journal-record.js';
import { payloadFromJson } from '../../job/payload/payload-text.js';
import { resolveSubmitOptions, type ResolvedSubmit } from '../../job/submit-options.js';
import type { JobControl } from '../../engine/control.js';
import type { LazyAbort } from '../lazy-abort.js';
import type { AttemptSpan } from '../instrumentation.js';
import type { Submitter } from '../submitter.js';
import type { TaskRegistry, TaskRoute } from '../task-registry.js';
import { childName } from './call-names.js';
import { childEnd, childError, lostChild } from './child-end.js';
import type { DurableAttempt } from './durable-attempt.js';
import { untilAnswered } from './until-answered.js';

/** How long a parent waits for the end of a child before it looks for the child itself: its message may be lost. */
const LOOK_MS = 300_000;
const MAX_GROUP = 1_000;

export interface ChildParts {
  readonly attempt: Attempt;
  readonly registry: Pick<TaskRegistry, 'route'>;
  readonly submitter: Pick<Submitter, 'submit' | 'submitMany' | 'captured'>;
  readonly control: Pick<JobControl, 'job'> | undefined;
  readonly clock: Clock;
  /** The end of the attempt. */
  readonly end: LazyAbort;
  readonly span: () => AttemptSpan | null;
}

/** A task and its arguments, checked at the call. */
export interface ChildCall {
  readonly kind: 'call' | 'submit';
  /** The name of the task, with the key of the call. */
  readonly base: string;
  readonly route: TaskRoute;
  readonly args: readonly unknown[];
  readonly options: ResolvedSubmit;
}

interface Waiting extends ChildCall {
  readonly name: string;
  readonly taskId: string;
  /** The id of the child that has failed in an earlier round. */
  readonly failedBefore: string | undefined;
  settle(error: unknown): void;
}

/** The jobs that one attempt starts: each once, whatever the number of attempts, since its id is derived from its name. */
export class ChildJobs {
  /** Calls of this turn, which are submitted together. */
  private group: Waiting[] = [];

  constructor(
    private readonly durable: DurableAttempt,
    private readonly parts: ChildParts,
  ) {}

  /** @throws {TaskNotFoundError} for an unknown task. @throws {FlowrraConfigError} for an invalid option. */
  prepare(kind: 'call' | 'submit', task: unknown, args: readonly unknown[], given: ChildOptions): ChildCall {
    const { registry, clock, submitter } = this.parts;
    const { key, queue, submit } = splitChildOptions(given);
    const found = registry.route(task);
    const route = queue === undefined ? found : { ...found, queue };
    const context = submitter.captured();
    const options = {
      ...resolveSubmitOptions(submit, clock.now()),
      bypassMaxPending: true,
      ...(context !== undefined && { context }),
    };
    return { kind, base: childName(route.name, key), route, args, options };
  }

  /** Resolves with the result of the child. */
  async call(name: string, call: ChildCall): Promise<unknown> {
    const record = await this.submitted(name, call);
    const end = this.durable.journal.child(record.taskId) ?? (await this.found(record));
    if (end?.status === 'success') return payloadFromJson(end.result);
    if (end !== null) throw childError(record, end);
    if (this.durable.isUndoing) this.failAgain(record);
    return this.durable.waitForMessage(this.parts.clock.now() + LOOK_MS);
  }

  /** In an earlier round, the code may have caught the error, and gone on to steps that are to be undone. */
  private failAgain({ failedBefore, taskName }: CallRecord): void {
    if (failedBefore === undefined) return;
    const end = this.durable.journal.child(failedBefore);
    if (end !== undefined) throw childError({ taskId: failedBefore, taskName }, end);
  }

  /** Resolves with the id of the job. */
  async submit(name: string, call: ChildCall): Promise<string> {
    return (await this.submitted(name, call)).taskId;
  }

  private async submitted(name: string, call: ChildCall): Promise<CallRecord> {
    const { journal, isUndoing } = this.durable;
    const recorded = journal.get<CallRecord>(call.kind, name);
    if (recorded !== undefined && (isUndoing || !this.isToRepeat(recorded))) return recorded;
    if (isUndoing) return this.durable.block();
    const failedBefore = recorded?.taskId;
    const source = [journal.series, this.parts.attempt.taskId, call.kind, name, failedBefore ?? ''];
    const taskId = childId(source);
    await new Promise<void>((resolve, reject) => {
      const settle = (error: unknown): void => (error === null ? resolve() : reject(error));
      this.group.push({ ...call, name, taskId, failedBefore, settle });
      // The last promise of a turn may add a further call.
      if (this.group.length === 1) detached(() => setImmediate(() => void this.sendGroup()));
    });
    return journal.get<CallRecord>(call.kind, name) as CallRecord;
  }

  private get round(): number {
    return roundOf(this.parts.attempt);
  }

  /** A child that has failed is called again once its parent is retried. */
  private isToRepeat({ taskId, round }: CallRecord): boolean {
    const end = this.durable.journal.child(taskId);
    return end !== undefined && end.status !== 'success' && round !== this.round;
  }

  private async sendGroup(): Promise<void> {
    const group = this.group;
    this.group = [];
    const byRoute = new Map<string, Waiting[]>();
    for (const each of group) {
      const key = `${each.route.name}\n${each.route.queue}`;
      const same = byRoute.get(key);
      if (same === undefined) byRoute.set(key, [each]);
      else same.push(each);
    }
    for (const same of byRoute.values())
      for (let from = 0; from < same.length; from += MAX_GROUP)
        await this.send(same.slice(from, from + MAX_GROUP));
  }

  /** The jobs are submitted first: after a crash in between, they are submitted again under the same ids. */
  private async send(some: readonly Waiting[]): Promise<void> {
    const { submitter, clock, end } = this.parts;
    const [first] = some as readonly [Waiting, ...Waiting[]];
    const span = this.parts.span();
    const submissions = some.map((each) => ({ args: each.args, options: this.optionsOf(each) }));
    const submit = (): Promise<string[]> => submitter.submitMany(first.route, submissions);
    try {
      await untilAnswered(clock, end, () => (span === null ? submit() : span.within(submit)), isOutage);
    } catch (error) {
      if (some.length === 1 || isOutage(error)) return some.forEach(({ settle }) => settle(error));
      // One of them may be invalid: the others are submitted all the same.
      for (const each of some) await this.send([each]);
      return;
    }
    const startedAt = this.parts.clock.now();
    const { round } = this;
    const error = await this.recorded(
      some.map(({ kind, name, taskId, failedBefore, route }) => ({
        kind,
        name,
        taskId,
        taskName: route.name,
        startedAt,
        round,
        ...(failedBefore !== undefined && { failedBefore }),
      })),
    );
    for (const each of some) each.settle(error);
  }

  private async recorded(records: readonly CallRecord[]): Promise<unknown> {
    try {
      await this.durable.record(records);
      return null;
    } catch (error) {
      return error;
    }
  }

  /** A job of `submit` is not waited for, so it is no child. */
  private optionsOf({ kind, taskId, options }: Waiting): ResolvedSubmit {
    return { ...options, taskId, ...(kind === 'call' && { parent: this.parts.attempt.taskId }) };
  }

  /** The end of a child that the journal has not been told of for a long time; `null` if it has not ended. */
  private async found({ taskId, taskName, startedAt }: CallRecord): Promise<ChildRecord | null> {
    const { control, clock } = this.parts;
    // While other children report their ends, the messages arrive: with many children, each look would cost as many reads.
    const since = Math.max(startedAt, this.durable.journal.lastChildEnd);
    if (control === undefined || clock.now() - since < LOOK_MS) return null;
    const row = await control.job(taskId);
    if (row === null) return lostChild(taskId, taskName, clock.now());
    return isFinal(row.status) ? childEnd(row, row.result) : null;
  }
}

/**
 * The same at each attempt of the parent: one may fail before it has recorded the child that it has submitted. Another
 * one in place of a child that has failed, and once a retry has forgotten the call.
 */
function childId(source: readonly unknown[]): string {
  return `c${createHash('sha256').update(JSON.stringify(source)).digest('base64url')}`;
}

function isOutage(error: unknown): boolean {
  return error instanceof EngineError || error instanceof SubmitUncertainError;
}
