// Not the global one, which a test runner's fake timers replace.
import { setImmediate } from 'node:timers';
import type { Clock } from '../job/clock.js';
import { type Duration, parseDuration } from '../job/duration.js';

interface Timer {
  readonly due: number;
  readonly fn: () => void;
}

/** The turns of the event loop that follow a timer, so that its effects can happen. */
const TURNS = 5;

/** A clock that only the test moves: `await flowrra.clock.advance('5m')`. */
export class TestClock implements Clock {
  private time: number;
  private timers: Timer[] = [];
  /** The next time at which the engine has a due job; `null` for none. */
  private nextDue: () => Promise<number | null> = async () => null;
  /** Waits until the effects of due timers and jobs have happened. */
  private settle: () => Promise<void> = turns;

  /** @param start The first time of the clock. Default: now. */
  constructor(start: Date = new Date()) {
    this.time = start.getTime();
  }

  now(): number {
    return this.time;
  }

  after(ms: number, fn: () => void): () => void {
    const timer = { due: this.time + ms, fn };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /**
   * Moves the clock forward. It stops at each time at which a delayed job, a retry or a time-out is due, and waits
   * until the effects have happened.
   *
   * @throws {FlowrraConfigError} if `duration` is no duration.
   */
  async advance(duration: Duration): Promise<void> {
    const end = this.time + parseDuration(duration, 'advance');
    await this.settle();
    for (;;) {
      const timer = this.next(end);
      const job = await this.nextDue();
      if (job !== null && job > this.time && job <= Math.min(end, timer?.due ?? end)) this.time = job;
      else if (timer === undefined) break;
      else this.fire(timer);
      await this.settle();
    }
    this.time = end;
    await this.settle();
  }

  /** Connects the engine of the test. */
  drive(nextDue: () => Promise<number | null>, settle: () => Promise<void>): void {
    this.nextDue = nextDue;
    this.settle = async () => {
      await turns();
      await settle();
    };
  }

  private fire(timer: Timer): void {
    this.timers = this.timers.filter((other) => other !== timer);
    this.time = Math.max(this.time, timer.due);
    timer.fn();
  }

  private next(end: number): Timer | undefined {
    return this.timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
  }
}

/** Lets the effects of a timer happen that need no time. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
