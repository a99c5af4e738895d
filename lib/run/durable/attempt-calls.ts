import type { Clock } from '../../job/clock.js';
import { type Duration, parseDuration } from '../../job/duration.js';
import { SignalTimeoutError } from '../../job/durable-errors.js';
import {
  checkStepName,
  type ChildOptions,
  resolveWaitOptions,
  type StepCall,
} from '../../job/durable-options.js';
import { wrong } from '../../job/check.js';
import type { CursorRecord, SleepRecord, WaitRecord } from '../../job/journal/journal-record.js';
import type { PayloadCodec } from '../../job/payload/payload-codec.js';
import { payloadFromJson } from '../../job/payload/payload-text.js';
import type { CodeFollower, DurableHost, EachPosition, EachSource } from './durable-calls.js';
import { eachItems } from './each-items.js';
import type { ChildJobs } from './child-jobs.js';
import type { DurableAttempt } from './durable-attempt.js';
import type { Steps } from './steps.js';

export interface AttemptCallParts {
  readonly durable: DurableAttempt;
  readonly steps: Steps;
  readonly children: ChildJobs;
  readonly codec: PayloadCodec;
  readonly clock: Clock;
}

/** The calls of one attempt. */
export class AttemptCalls implements DurableHost {
  constructor(private readonly parts: AttemptCallParts) {}

  async step(name: string, fn: (call: StepCall) => unknown, options: unknown): Promise<unknown> {
    const { durable, steps } = this.parts;
    checkStepName(name, 'ctx.step() name');
    if (typeof fn !== 'function') throw wrong('ctx.step() function', fn, 'It must be a function.');
    return durable.begin('step', name, (own) => steps.run(own, fn, options));
  }

  async sleep(name: string, until: Duration | Date): Promise<void> {
    const { durable, clock } = this.parts;
    checkStepName(name, 'ctx.sleep() name');
    const startedAt = clock.now();
    const due =
      until instanceof Date ? until.getTime() : startedAt + parseDuration(until, 'ctx.sleep() duration');
    if (Number.isNaN(due)) throw wrong('ctx.sleep() date', until, 'It must be a valid Date.');
    return durable.begin('sleep', name, async (own) => {
      const recorded = durable.journal.get<SleepRecord>('sleep', own);
      if (recorded === undefined && durable.isUndoing) return durable.block();
      if (recorded === undefined) await durable.record([{ kind: 'sleep', name: own, startedAt, until: due }]);
      return this.until(recorded?.until ?? due);
    });
  }

  async waitFor(name: string, options: unknown): Promise<unknown> {
    checkStepName(name, 'ctx.waitFor() name');
    const { timeout } = resolveWaitOptions(options ?? {});
    const { durable } = this.parts;
    durable.assertUsable('wait');
    return durable.names.joined(name, () =>
      durable.begin('wait', name, (own) => this.signal(name, own, timeout)),
    );
  }

  async call(options: ChildOptions, task: unknown, args: readonly unknown[]): Promise<unknown> {
    const { durable, children } = this.parts;
    durable.assertUsable('call');
    const call = children.prepare('call', task, args, options);
    return durable.begin('call', call.base, (name) => children.call(name, call), args);
  }

  async submit(options: ChildOptions, task: unknown, args: readonly unknown[]): Promise<string> {
    const { durable, children } = this.parts;
    durable.assertUsable('submit');
    const call = children.prepare('submit', task, args, options);
    return durable.begin('submit', call.base, (name) => children.submit(name, call), args);
  }

  each(name: string, source: EachSource, options: unknown): AsyncIterable<unknown> {
    const { codec, clock } = this.parts;
    return eachItems(name, source, options, { codec, clock, open: (each) => this.openEach(each) });
  }

  openEach(name: string): Promise<EachPosition> {
    const { durable, clock } = this.parts;
    const { journal } = durable;
    return durable.begin('each', name, async (own) => {
      const record = journal.get<CursorRecord>('each', own);
      const { startedAt = clock.now(), items = 0, isDone = false, cursor } = record ?? {};
      if (durable.isUndoing && !isDone) return durable.block();
      return {
        end: isDone ? () => undefined : durable.names.loop(),
        items,
        cursor,
        isDone,
        active: (fn) => durable.active(fn),
        store: (count, at, done) =>
          durable.active(() => durable.record([cursorRecord(own, startedAt, count, at, done)])),
      };
    });
  }

  hold(): () => void {
    return this.parts.durable.hold();
  }

  follow(follower: CodeFollower): void {
    this.parts.durable.follower = follower;
  }

  codeLost(): void {
    this.parts.durable.isCodeLost = true;
  }

  /** A time that has come needs no timer. */
  private async until(due: number): Promise<void> {
    const { durable, clock } = this.parts;
    if (due > clock.now() && durable.isUndoing) return durable.block();
    await durable.waitUntil(due);
  }

  /** The n-th wait for a signal gets the n-th signal, without those waits that were over before theirs came. */
  private async signal(name: string, own: string, timeout: number): Promise<unknown> {
    const { durable, clock } = this.parts;
    const { journal } = durable;
    const recorded = journal.get<WaitRecord>('wait', own);
    if (recorded?.isOver === true) throw this.late(name);
    const signal = journal.signalsOf(name)[this.received(name, own)];
    if (signal !== undefined) return payloadFromJson(signal.value);
    if (durable.isUndoing) return durable.block();
    const startedAt = recorded?.startedAt ?? clock.now();
    const until =
      recorded === undefined ? (timeout === Infinity ? null : startedAt + timeout) : recorded.until;
    const wait = { kind: 'wait', name: own, startedAt, until } as const;
    if (until !== null && until <= clock.now()) {
      await durable.record([{ ...wait, isOver: true }]);
      throw this.late(name);
    }
    if (recorded === undefined) await durable.record([{ ...wait, isOver: false }]);
    if (until === null) return durable.waitForMessage(null);
    await durable.waitUntil(until);
    // Other work has kept the attempt alive. A signal that came meanwhile is found by the next one.
    return durable.waitForMessage(until);
  }

  /** The number of signals that the waits before this one have received. */
  private received(name: string, own: string): number {
    const index = own === name ? 0 : Number(own.slice(name.length + 1));
    let count = 0;
    for (let n = 0; n < index; n++) {
      const earlier = n === 0 ? name : `${name}:${n}`;
      if (this.parts.durable.journal.get<WaitRecord>('wait', earlier)?.isOver !== true) count++;
    }
    return count;
  }

  private late(name: string): SignalTimeoutError {
    return new SignalTimeoutError(`No signal '${name}' came within the time-out of ctx.waitFor().`);
  }
}

function cursorRecord(
  name: string,
  startedAt: number,
  items: number,
  cursor: unknown,
  isDone: boolean,
): CursorRecord {
  return { kind: 'each', name, startedAt, items, isDone, ...(cursor !== undefined && { cursor }) };
}
