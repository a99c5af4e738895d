// Not the global one, which a test runner's fake timers replace.
import { setImmediate } from 'node:timers';
import { detached } from '../../job/async.js';
import type { Clock } from '../../job/clock.js';
import type { NamedKind } from '../../job/journal/journal-record.js';
import type { Outcome } from '../../job/outcome.js';
import type { AttemptSpan } from '../instrumentation.js';
import type { AttemptJournal } from './attempt-journal.js';
import { CallNames } from './call-names.js';
import type { CodeFollower } from './durable-calls.js';
import { assertOutsideStep, calledTooLate } from './inside-step.js';

/** A wait whose time or message has not come. */
interface Wait {
  /** Milliseconds since the epoch; `null` if only a message ends it. */
  readonly due: number | null;
  readonly cancelTimer: () => void;
}

export interface AttemptState {
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
  /** Whether the code has died with its thread. */
  isCodeLost = false;
  /** `null` for code on the main thread. */
  follower: CodeFollower | null = null;
  readonly names = new CallNames();
  private readonly waits = new Set<Wait>();
  private underWay = 0;
  private checking = false;

  constructor(
    readonly journal: AttemptJournal,
    private readonly clock: Clock,
    private readonly state: AttemptState,
  ) {}

  /** Whether another attempt has to undo the steps: one, in case that the code dies each time. */
  get leavesUndo(): boolean {
    return this.isCodeLost && !this.isUndoing;
  }

  /**
   * Takes a name for a call, and runs it.
   *
   * @param fn Gets the name with a number behind it if the name was used before.
   */
  async begin<T>(kind: NamedKind, base: string, fn: (name: string) => Promise<T>): Promise<T> {
    this.assertUsable(kind);
    return this.names.during(kind, base, (name) =>
      this.active(async () => {
        await this.journal.load();
        return fn(name);
      }),
    );
  }

  /** The attempt is not suspended until the returned function is called. */
  hold(): () => void {
    this.underWay++;
    return () => this.leave();
  }

  /** The attempt is not suspended while `fn` runs, except in its waits. */
  async active<T>(fn: () => Promise<T>): Promise<T> {
    const release = this.hold();
    try {
      return await fn();
    } finally {
      release();
    }
  }

  /** @throws {DurableTaskError} inside of a step, and once the method has returned. */
  assertUsable(kind: NamedKind): void {
    assertOutsideStep(kind);
    if (!this.state.isRunning()) throw calledTooLate(kind);
  }

  /** Waits until a time: in this attempt if other work keeps it alive until then. */
  async waitUntil(due: number): Promise<void> {
    if (due <= this.clock.now()) return;
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

  private leave(): void {
    this.underWay--;
    if (this.underWay > 0 || this.waits.size === 0 || this.checking) return;
    this.checking = true;
    // The method's own code may begin the next call when a promise of this turn settles.
    detached(() => setImmediate(() => this.check()));
  }

  private check(): void {
    this.checking = false;
    if (this.underWay > 0 || this.waits.size === 0 || !this.state.isRunning()) return;
    const dues = [...this.waits].map(({ due }) => due).filter((due) => due !== null);
    const earliest = dues.length === 0 ? null : dues.reduce((a, b) => Math.min(a, b));
    const delay = earliest === null ? null : Math.max(0, earliest - this.clock.now());
    this.follower?.suspended();
    this.state.suspend({ kind: 'suspended', delay, seen: this.journal.seen });
  }
}
