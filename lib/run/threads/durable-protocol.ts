import type { Duration } from '../../job/duration.js';
import type { ThreadAnswer, Wired, WiredAnswer, WiredError } from './wire.js';

/** A durable call of code in a thread. Functions stay in the thread, which calls them when the parent asks for it. */
export type DurableRequest =
  | { readonly method: 'step'; readonly name: string; readonly options: unknown; readonly canUndo: boolean }
  | { readonly method: 'sleep'; readonly name: string; readonly until: Duration | Date }
  | { readonly method: 'waitFor'; readonly name: string; readonly options: unknown }
  | {
      readonly method: 'call' | 'submit';
      /** The options of `ctx.with()`. */
      readonly options: Wired;
      readonly taskName: string;
      readonly args: Wired;
    }
  | { readonly method: 'openEach'; readonly name: string }
  | {
      readonly method: 'storeEach';
      /** The request that opened it. */
      readonly opened: number;
      readonly items: number;
      readonly cursor: unknown;
      readonly isDone: boolean;
    }
  | { readonly method: 'endEach'; readonly opened: number };

/** The position of an `each`, without its methods. */
export interface WiredPosition {
  readonly isDone: boolean;
  readonly items: number;
  readonly cursor: unknown;
}

/** About one call. Requests and runs are numbered in each call. */
export type DurableToThread = { readonly callId: number } & (
  | { readonly kind: 'answered'; readonly request: number; readonly answer: WiredAnswer }
  /** Calls the function of a step, or the one that undoes it. */
  | {
      readonly kind: 'run';
      readonly request: number;
      readonly run: number;
      readonly key: string;
      readonly attempt: number;
      /** The result of the step that is undone; `null` to call the step itself. */
      readonly undone: Wired | null;
    }
  | { readonly kind: 'abortRun'; readonly run: number; readonly reason: WiredError }
  /** No function of the call is called any more: the thread takes its next call. */
  | { readonly kind: 'over' }
);

/** About one call. */
export type DurableFromThread = { readonly callId: number } & (
  | { readonly kind: 'durable'; readonly request: number; readonly call: DurableRequest }
  | { readonly kind: 'ran'; readonly run: number; readonly answer: WiredAnswer }
  /**
   * The code has had a turn of the thread's event loop since its last request, and since the last answer that it has
   * received. The parent, which cannot see turns of the thread, suspends no attempt before.
   *
   * `received` is the number of answers: the message means nothing if another answer is on its way.
   */
  | { readonly kind: 'quiet'; readonly received: number }
  /** The code works again on something that the parent does not see. */
  | { readonly kind: 'busy' }
  /** The method has settled. Its thread stays with the call until it is over, since its steps may be undone. */
  | { readonly kind: 'settled'; readonly answer: ThreadAnswer }
);
