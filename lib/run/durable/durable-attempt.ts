// Not the global one, which a test runner's fake timers replace.
import { setImmediate } from 'node:timers';
import { detached } from '../../job/async.js';
import type { Clock } from '../../job/clock.js';
import type { JournalRecord, NamedKind } from '../../job/journal/journal-record.js';
import type { Outcome } from '../../job/outcome.js';
import type { AttemptSpan } from '../instrumentation.js';
import type { AttemptJournal } from './attempt-journal.js';
import { CallNames } from './call-names.js';
import type { CodeFollower } from './durable-calls.js';
import type { DurableProbe } from './durable-probe.js';
import { assertOutsideStep, calledTooLate } from './inside-step.js';

/** A wait whose time or message has not come. */
interface Wait {
  /** Milliseconds since the epoch; `null` if only a message ends it. */
  readonly due: number | null;
  readonly cancelTimer: () => void;
}

export interface AttemptState {
  /** Whether the method runs. */
  isRunning(): boolean;
  /** `null` without an instrumentation. */
  span(): AttemptSpan | null;
  /** Ends the attempt: its code does not go on. */
  suspend(outcome: Outcome): void;
}

/**
 * The work of one attempt that its journal is about. Each call of `step`, `sleep` and the others is either under way, or
 * waits for something that this attempt cannot bring about. Once nothing is under way and something waits, the attempt
 * is suspended.
 */
export class DurableAttempt {
  /** Whether the steps are about to be undone: recorded ones answer, and no other one begins. */
  isUndoing = false;
  /** Whether the attempt has begun only to undo the steps. */
  beganUndoing = false;
  /** Whether the code has died with its thread. */
  isCodeLost = false;
  /** `null` for code on the main thread. */
  follower: CodeFollower | null = null;
  readonly names = new CallNames();
  private readonly waits = new Set<Wait>();
  private underWay = 0;
  private checking = false;
  /** Called once nothing is under way. */
  private whenIdle: (() => void) | null = null;

  constructor(
    readonly journal: AttemptJournal,
    private readonly clock: Clock,
    private readonly state: AttemptState,
    private readonly probe: DurableProbe | undefined,
  ) {}

  /**
   * Takes a name for a call, and runs it.
   *
   * @param fn Gets the name with a number behind it if the name was used before.
   * @param args The arguments of a child job.
   */
  async begin<T>(
    kind: NamedKind,
    base: string,
    fn: (name: string) => Promise<T>,
    args: readonly unknown[] = [],
  ): Promise<T> {
    this.assertUsable(kind);
    return this.names.during(kind, base, (name) => {
      this.probe?.began(this.journal.attempt, { kind, name, args });
      return this.active(async () => {
        await this.journal.load();
        return this.probe === undefined ? fn(name) : this.replayed(kind, name, () => fn(name));
      });
    });
  }

  /** Whether another attempt has to undo the steps: one, in case that the code dies each time. */
  get leavesUndo(): boolean {
    return this.isCodeLost && !this.beganUndoing;
  }

  /** The attempt is not suspended until the returned function is called. */
  hold(): () => void {
    this.underWay++;
    return () => this.leave();
  }

  /** With a probe, a call that has stored something does not go on in this attempt: the method is run again first. */
  private async replayed<T>(kind: NamedKind, name: string, fn: () => Promise<T>): Promise<T> {
    const before = this.journal.get(kind, name);
    try {
      return await fn();
    } finally {
      if (this.journal.get(kind, name) !== before) await this.waitForMessage(this.clock.now());
    }
  }

  /**
   * The attempt is not suspended while `fn` runs, except in its waits. Never settles if the attempt ends meanwhile: code
   * that was not awaited does not go on.
   */
  async active<T>(fn: () => Promise<T>): Promise<T> {
    const release = this.hold();
    try {
      const value = await fn();
      return this.isOver ? await never() : value;
    } catch (error) {
      if (this.isOver) return await never();
      throw error;
    } finally {
      release();
    }
  }

  /** @throws {DurableTaskError} inside of a step, and once the method has returned. */
  assertUsable(kind: NamedKind): void {
    assertOutsideStep(this, kind);
    if (this.isOver) throw calledTooLate(kind);
  }

  /** Stores records of the method's calls. Never settles if the attempt has ended: it stores nothing then. */
  async record(records: readonly JournalRecord[]): Promise<void> {
    if (this.isOver) await never();
    await this.journal.append(records);
  }

  /** Waits until a time: in this attempt if other work keeps it alive until then. */
  async waitUntil(due: number): Promise<void> {
    if (due <= this.clock.now()) return;
    if (this.isUndoing) return this.block();
    await this.wait<void>(due, (resolve) =>
      detached(() => this.clock.after(due - this.clock.now(), () => resolve())),
    );
  }

  /** Waits for a message, which a later attempt will find. */
  waitForMessage(due: number | null): Promise<never> {
    return this.wait<never>(due, () => () => undefined);
  }

  /** Never settles. */
  block(): Promise<never> {
    return this.waitForMessage(null);
  }

  /**
   * The method has ended, and steps are to be undone. Calls that are under way come to their end, at the latest after
   * `grace` milliseconds; branches that the method no longer awaits go on up to the first call that is not recorded.
   */
  async settled(grace: number): Promise<void> {
    this.isUndoing = true;
    this.close();
    await new Promise<void>((resolve) => {
      const cancelTimer = detached(() => this.clock.after(grace, () => this.whenIdle?.()));
      this.whenIdle = () => {
        this.whenIdle = null;
        cancelTimer();
        resolve();
      };
      this.checkLater();
    });
  }

  /** Ends all timers: the attempt is over. */
  close(): void {
    for (const wait of this.waits) wait.cancelTimer();
    this.waits.clear();
  }

  private wait<T>(due: number | null, arm: (resolve: (value: T) => void) => () => void): Promise<T> {
    return new Promise<T>((resolve) => {
      const wait: Wait = {
        due,
        cancelTimer: arm((value) => {
          if (!this.waits.delete(wait)) return;
          this.underWay++;
          resolve(value);
        }),
      };
      this.waits.add(wait);
      this.leave();
    });
  }

  /** Whether a call is under way. */
  get isBusy(): boolean {
    return this.underWay > 0;
  }

  private get isSettling(): boolean {
    return this.whenIdle !== null;
  }

  private get isOver(): boolean {
    return !this.state.isRunning() && !this.isSettling;
  }

  private leave(): void {
    this.underWay--;
    if (this.underWay === 0 && (this.waits.size > 0 || this.isSettling)) this.checkLater();
  }

  /** The method's own code may begin the next call when a promise of this turn settles. */
  private checkLater(): void {
    if (this.checking) return;
    this.checking = true;
    detached(() => setImmediate(() => this.check()));
  }

  private check(): void {
    this.checking = false;
    if (this.underWay > 0) return;
    if (this.whenIdle !== null) return this.whenIdle();
    if (this.waits.size === 0 || !this.state.isRunning()) return;
    const dues = [...this.waits].map(({ due }) => due).filter((due) => due !== null);
    const earliest = dues.length === 0 ? null : dues.reduce((a, b) => Math.min(a, b));
    const delay = earliest === null ? null : Math.max(0, earliest - this.clock.now());
    this.follower?.suspended();
    this.state.suspend({ kind: 'suspended', delay, seen: this.journal.seen });
  }
}

/** A promise of its own each time: one that is shared would keep all that await it. */
function never(): Promise<never> {
  return new Promise(() => undefined);
}
