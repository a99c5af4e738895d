import type { SubmitOptions } from '../../job/submit-options.js';

/** The connection of a CPU thread to the application that owns it. */
export interface ParentLink {
  /** Submits a task through the owning application. */
  submit(taskName: string, args: unknown[], options: SubmitOptions): Promise<string>;
}

interface ThreadGlobals {
  readonly link: ParentLink;
  /** Called for each CPU-bound task whose class is defined in the thread. */
  announce(prototype: object, file: string | null): void;
}

/** On the global object, since the thread's entry and the task's code may each load a copy of this package. */
const KEY = Symbol.for('flowrra:thread');

/** `null` outside of a CPU thread. */
export function parentLink(): ParentLink | null {
  return globals()?.link ?? null;
}

/** Lets a thread find a class that its file does not export. Without effect on the main thread. */
export function announceTask(prototype: object, file: string | null): void {
  globals()?.announce(prototype, file);
}

/** Makes this thread a CPU thread. */
export function becomeThread(thread: ThreadGlobals): void {
  (globalThis as Record<symbol, unknown>)[KEY] = thread;
}

function globals(): ThreadGlobals | undefined {
  return (globalThis as Record<symbol, unknown>)[KEY] as ThreadGlobals | undefined;
}
