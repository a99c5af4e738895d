import type { SubmitOptions } from '../../job/task-options.js';

/** What code inside one of our threads can reach. */
export interface ParentLink {
  /** Submits a task through the application that owns the thread. */
  submit(taskName: string, args: unknown[], options: SubmitOptions): Promise<string>;
}

interface ThreadGlobals {
  readonly link: ParentLink;
  /** Hears of each CPU-bound task whose class is defined in the thread. */
  announce(prototype: object, file: string | null): void;
}

/** On the global object, since the thread's code and the application's may have loaded a copy of this package each. */
const KEY = Symbol.for('flowrra:thread');

/** Non-null only inside one of our threads. */
export function parentLink(): ParentLink | null {
  return globals()?.link ?? null;
}

/** Lets the thread find a class that its file does not export. On the main thread nobody listens. */
export function announceTask(prototype: object, file: string | null): void {
  globals()?.announce(prototype, file);
}

export function becomeThread(thread: ThreadGlobals): void {
  (globalThis as Record<symbol, unknown>)[KEY] = thread;
}

function globals(): ThreadGlobals | undefined {
  return (globalThis as Record<symbol, unknown>)[KEY] as ThreadGlobals | undefined;
}
