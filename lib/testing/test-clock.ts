// Not the global one, which a test runner's fake timers replace.
import { setImmediate } from 'node:timers';
import type { Clock } from '../job/clock.js';
import { type Duration, parseDuration } from '../job/duration.js';

interface Timer {
  readonly due: number;
  readonly fn: () => void;
}

/** Turns of the event loop in which what a timer has caused may happen. */
const TURNS = 5;

/** A clock that stands still until a test moves it: `await flowrra.clock.advance('5m')`. */
export class TestClock implements Clock {
  private time: number;
  private timers: Timer[] = [];
  /** Tells when something comes due by itself next. */
  private nextDue: () => Promise<number | null> = async () => null;
  /** Lets happen what has come due. */
  private settle: () => Promise<void> = turns;

  /** @param start Where it stands at first. Default: the time at which it is made. */
  constructor(start: Date = new Date()) {
    this.time = start.getTime();
  }

  now(): number {
    return this.time;
  }

  steady(): number {
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
   * Lets time pass: stops wherever a delayed job, a retry or a time-out comes due, until what that
   * causes has happened.
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

  /** Called by the engine that lives by this clock. */
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

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
