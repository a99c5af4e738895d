import type { AttemptError } from '../job.js';
import type { JournalEntry } from './journal.js';

/** The content of a journal's entries. Times are milliseconds since the epoch; values are payloads as JSON. */
export type JournalRecord =
  | StepRecord
  | SleepRecord
  | WaitRecord
  | CallRecord
  | CursorRecord
  | EndingRecord
  | SeriesRecord
  | PostedRecord;

/** An entry of an attempt about one name. */
interface NamedRecord {
  readonly name: string;
  readonly startedAt: number;
}

export interface StepRecord extends NamedRecord {
  readonly kind: 'step';
  /** `trying`: it has failed, and is tried again at `dueAt`. `undone`: its `undo` has been run. */
  readonly state: 'done' | 'failed' | 'trying' | 'undone';
  readonly endedAt: number;
  /** Present if it is done. */
  readonly result?: unknown;
  /** The error of the last try; absent if it is done. */
  readonly error?: AttemptError;
  /** The number of tries. */
  readonly tries: number;
  /** See {@link roundOf}: a failure counts until the job is retried. */
  readonly round: number;
  readonly dueAt?: number;
  /** Whether a `trying` step has failed for good in an earlier round, so that the code may have gone on after it. */
  readonly hasFailed?: boolean;
  /** Whether the step can be undone. */
  readonly canUndo?: boolean;
}

export interface SleepRecord extends NamedRecord {
  readonly kind: 'sleep';
  readonly until: number;
}

/** The start of a wait for a signal. The signal itself is a record of its own. */
export interface WaitRecord extends NamedRecord {
  readonly kind: 'wait';
  /** `null` for no limit. */
  readonly until: number | null;
  /** Whether the limit was reached before a signal came. */
  readonly isOver: boolean;
}

/** A job that was submitted by `call` or `submit`. */
export interface CallRecord extends NamedRecord {
  readonly kind: 'call' | 'submit';
  /** See {@link roundOf}: a child that has failed is called again once the job is retried. */
  readonly round: number;
  readonly taskId: string;
  readonly taskName: string;
  /** The id of the child of an earlier round that has failed, if this one was called in its place. */
  readonly failedBefore?: string;
}

/** The position of an `each`. */
export interface CursorRecord extends NamedRecord {
  readonly kind: 'each';
  readonly cursor?: unknown;
  /** The number of items so far. */
  readonly items: number;
  readonly isDone: boolean;
}

/** The job is about to end: its steps are being undone. */
export interface EndingRecord {
  readonly kind: 'ending';
  readonly outcome:
    | { readonly kind: 'failed'; readonly error: AttemptError }
    | { readonly kind: 'cancelled'; readonly reason: string };
}

/** A retry has forgotten some calls. */
export interface SeriesRecord {
  readonly kind: 'series';
  /** The number of such retries: child jobs get other ids after each. */
  readonly number: number;
}

export type PostedRecord = SignalRecord | ChildRecord | CancelRecord;

export interface SignalRecord {
  readonly kind: 'signal';
  readonly name: string;
  readonly at: number;
  readonly value: unknown;
}

/** The end of a child job. */
export interface ChildRecord {
  readonly kind: 'child';
  readonly taskId: string;
  readonly at: number;
  readonly status: 'success' | 'failed' | 'cancelled';
  /** Present if it has succeeded. */
  readonly result?: unknown;
  readonly errors: readonly AttemptError[];
  /** Why it was cancelled; `null` if it was not. */
  readonly reason: string | null;
}

/** An operator has cancelled the job while it waited. */
export interface CancelRecord {
  readonly kind: 'cancel';
  readonly reason: string;
}

/** Whether the record is that of a finished step that can be undone. */
export function isUndoable(record: JournalRecord | undefined): record is StepRecord {
  return record?.kind === 'step' && record.state === 'done' && record.canUndo === true;
}

/**
 * Tells attempts apart that are retries, and not replays after a wait or a crash: the time of the job's last error with
 * the number of retries, since two attempts may fail within a millisecond; 0 before the first error.
 */
export function roundOf({
  errors,
  retries,
}: {
  readonly errors: readonly AttemptError[];
  readonly retries: number;
}): number {
  return (errors.at(-1)?.at ?? 0) * ROUNDS_PER_MS + (retries % ROUNDS_PER_MS);
}

const ROUNDS_PER_MS = 1_000;

/** The kinds of records that a method writes under a name of its own. */
export type NamedKind = 'step' | 'sleep' | 'wait' | 'call' | 'submit' | 'each';

/** The key of the entry of a name. */
export function keyOf(kind: NamedKind | 'child', name: string): string {
  return `${kind}:${name}`;
}

export const ENDING_KEY = 'ending';
export const SERIES_KEY = 'series';

/** @param id Makes the key of a signal unique. */
export function entryOf(record: JournalRecord, id = ''): JournalEntry {
  return { key: recordKey(record, id), body: JSON.stringify(record) };
}

function recordKey(record: JournalRecord, id: string): string {
  switch (record.kind) {
    case 'ending':
      return ENDING_KEY;
    case 'series':
      return SERIES_KEY;
    case 'cancel':
      return 'cancel';
    case 'child':
      return keyOf('child', record.taskId);
    case 'signal':
      // With the length, ids and names that contain a colon make different keys.
      return `signal:${id.length}:${id}:${record.name}`;
    default:
      return keyOf(record.kind, record.name);
  }
}

/** `null` for an entry that this version of Flowrra cannot read. */
export function recordOf({ key, body }: JournalEntry): JournalRecord | null {
  try {
    const value = JSON.parse(body) as JournalRecord | null;
    if (typeof value !== 'object' || value === null) return null;
    // The engine writes a cancellation without its kind.
    return key === 'cancel' ? { ...(value as CancelRecord), kind: 'cancel' } : value;
  } catch {
    return null;
  }
}
