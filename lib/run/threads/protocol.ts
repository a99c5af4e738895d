import type { ScheduleMark } from '../../job/metadata.js';
import type { SubmitOptions } from '../../job/submit-options.js';
import type { DurableFromThread, DurableToThread } from './durable-protocol.js';
import type { Wired, WiredError } from './wire.js';

/** A class whose instance a thread creates with `new`. */
export interface ClassCode {
  /** A `file:` URL. */
  readonly file: string;
  readonly className: string;
  readonly method: string;
}

/** Where a thread finds a task's code, as plain data. Files are `file:` URLs. */
export type CpuTarget = (
  | ({ readonly kind: 'class' } & ClassCode)
  | { readonly kind: 'function'; readonly file: string; readonly export: string }
  /** A task of the thread's own Nest application. */
  | {
      readonly kind: 'module';
      readonly taskName: string;
      /** Used if the application does not provide the task; `null` for a class that needs injection. */
      readonly otherwise: ClassCode | null;
    }
) & { readonly contextIndex: number | null };

/** A call, from the pool to a thread. */
export interface ThreadCall {
  readonly callId: number;
  /** A `CpuTarget` as JSON: a string is cheaper to send than an object. */
  readonly target: string;
  readonly args: Wired;
  readonly taskId: string;
  readonly taskName: string;
  readonly attempt: number;
  readonly submittedAt: number;
  readonly priority: number;
  readonly metadata: Wired | null;
  readonly schedule: ScheduleMark | undefined;
  readonly parentId: string | null;
}

export type ToThread =
  | { readonly kind: 'abort'; readonly callId: number; readonly reason: WiredError }
  /** An aborted call has ended, so its abort can be removed. */
  | { readonly kind: 'ended'; readonly callId: number }
  | { readonly kind: 'submitted'; readonly request: number; readonly taskId: string }
  | { readonly kind: 'rejected'; readonly request: number; readonly error: WiredError }
  | { readonly kind: 'close' }
  | DurableToThread;

export type FromThread =
  | {
      readonly kind: 'submit';
      readonly request: number;
      /** The call whose code submits. It may have ended. */
      readonly callId: number | undefined;
      readonly taskName: string;
      readonly args: Wired;
      readonly options: SubmitOptions;
    }
  | { readonly kind: 'progress'; readonly callId: number; readonly value: Wired }
  | { readonly kind: 'log'; readonly callId: number; readonly line: string }
  | { readonly kind: 'closed' }
  | DurableFromThread;
