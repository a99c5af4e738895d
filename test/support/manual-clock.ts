import type { Clock } from '../../lib/job/clock.js';

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly fn: () => void;
}

/** What lives by the clock without timers of its own on it. */
export interface World {
  /** Resolves when everything has happened that needs no time. */
  settle(): Promise<void>;
  /** When something happens by itself next. */
  nextDue(): Promise<number | null>;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  private time = 1_700_000_000_000;
  private jumped = 0;
  private orders = 0;
  private timers: Timer[] = [];

  /** @param world What else there is that time passes for; by default, nothing but promises. */
  constructor(private readonly world: World = PROMISES) {}

  /** How many timers are armed: a test that ends with some has found a leak. */
  get armed(): number {
    return this.timers.length;
  }

  now = (): number => this.time + this.jumped;

  steady = (): number => this.time;

  after = (ms: number, fn: () => void): (() => void) => {
    const timer = { due: this.time + ms, order: this.orders++, fn };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  };

  /** Sets what `now` says to another time, as an administrator does. Timers and `steady` go on as before. */
  jump(ms: number): void {
    this.jumped += ms;
  }

  /** Time passes while the process stands still: no timer fires. */
  sleep(ms: number): void {
    this.time += ms;
  }

  /** Moves on by `ms`, stopping at each timer that is due, in order, until what it caused has happened. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await this.world.settle();
    for (;;) {
      const timer = this.next(end);
      const due = await this.world.nextDue();
      if (due !== null && due > this.time && due <= Math.min(end, timer?.due ?? end)) this.time = due;
      else if (timer === undefined) break;
      else this.fire(timer);
      await this.world.settle();
    }
    this.time = end;
    await this.world.settle();
  }

  private fire(timer: Timer): void {
    this.timers = this.timers.filter((other) => other !== timer);
    this.time = Math.max(this.time, timer.due);
    timer.fn();
  }

  private next(end: number): Timer | undefined {
    return this.timers.filter(({ due }) => due <= end).sort((a, b) => a.due - b.due || a.order - b.order)[0];
  }
}

/** Lets everything that needs no time happen: promises, and a few turns of the event loop. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A world in which only promises live. */
export const PROMISES: World = { settle, nextDue: async () => null };
