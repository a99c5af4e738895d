import type { JournalStore } from '../../engine/journal-store.js';
import type { Clock } from '../../job/clock.js';
import { JournalFullError } from '../../job/durable-errors.js';
import { TaskLostError } from '../../job/errors.js';
import type { Attempt } from '../../job/job.js';
import { CANCEL_KEY, type JournalEntry } from '../../job/journal/journal.js';
import {
  type ChildRecord,
  ENDING_KEY,
  type EndingRecord,
  entryOf,
  isUndoable,
  type JournalRecord,
  keyOf,
  type NamedKind,
  recordOf,
  SERIES_KEY,
  type SignalRecord,
} from '../../job/journal/journal-record.js';
import type { LazyAbort } from '../lazy-abort.js';
import { untilAnswered } from './until-answered.js';

/** The most entries that attempts append, without those of child jobs; and the most entries of child jobs. */
const MAX_ENTRIES = 10_000;
/** Of all entries that attempts append. */
const MAX_BYTES = 8 * 1024 * 1024;

/** A job's journal as one attempt sees it: as it was when the attempt began, with the records that it has appended. */
export class AttemptJournal {
  /** The number of posted entries at the start of the attempt. */
  seen = 0;
  /** Whether this attempt has appended to the journal. */
  hasAppended = false;
  /** When the last child job of the journal has ended; 0 for none. */
  lastChildEnd = 0;
  /** The number of finished steps that can be undone. */
  undoable = 0;
  private readonly records = new Map<string, JournalRecord>();
  private readonly signals = new Map<string, SignalRecord[]>();
  private loading: Promise<void> | null = null;
  /** The bytes of each entry. */
  private readonly sizes = new Map<string, number>();
  private lastStepEnd = 0;
  private entries = 0;
  private calls = 0;
  private bytes = 0;

  /** @param end Ends the repeated calls of the engine. */
  constructor(
    readonly attempt: Attempt,
    private readonly store: JournalStore,
    private readonly clock: Clock,
    private readonly end: LazyAbort,
  ) {}

  /** Reads the journal, once. @throws {EngineError} if it could not be read before the end of the attempt. */
  load(): Promise<void> {
    return (this.loading ??= this.read());
  }

  get<R extends JournalRecord>(kind: NamedKind, name: string): R | undefined {
    return this.records.get(keyOf(kind, name)) as R | undefined;
  }

  child(taskId: string): ChildRecord | undefined {
    return this.records.get(keyOf('child', taskId)) as ChildRecord | undefined;
  }

  /** The signals of a name, in the order in which they came. */
  signalsOf(name: string): readonly SignalRecord[] {
    return this.signals.get(name) ?? [];
  }

  /** The outcome with which the job is to end, once its steps are undone; `null` if it goes on. */
  get ending(): EndingRecord['outcome'] | null {
    const ending = this.records.get(ENDING_KEY);
    return ending?.kind === 'ending' ? ending.outcome : null;
  }

  /** The number of retries that have forgotten calls. */
  get series(): number {
    const series = this.records.get(SERIES_KEY);
    return series?.kind === 'series' ? series.number : 0;
  }

  /** The outcome of a job that was cancelled while it waited; `null` if it was not. */
  get cancellation(): EndingRecord['outcome'] | null {
    const cancel = this.records.get(CANCEL_KEY);
    return cancel?.kind === 'cancel' ? { kind: 'cancelled', reason: cancel.reason } : null;
  }

  /**
   * The end of a step that ends now: not before the end of an earlier one. Steps are undone in the order of their ends,
   * and the clocks of workers differ.
   */
  endOfStep(now: number): number {
    return Math.max(now, this.lastStepEnd);
  }

  /** All records, oldest first. */
  all(): Iterable<JournalRecord> {
    return this.records.values();
  }

  /**
   * Stores records, each in place of the one with its name. Repeats until the engine has answered.
   *
   * @param always Whether the records are stored also in a full journal.
   * @throws {TaskLostError} if another attempt of the job has begun.
   * @throws {JournalFullError} if the journal would be too long.
   */
  async append(records: readonly JournalRecord[], always = false): Promise<void> {
    const entries = records.map((record) => entryOf(record));
    const before = { entries: this.entries, calls: this.calls, bytes: this.bytes };
    const sizes = entries.map((entry) => this.count(entry));
    const isFull = this.entries > MAX_ENTRIES || this.calls > MAX_ENTRIES || this.bytes > MAX_BYTES;
    if (isFull && !always) {
      const full = this.fullError();
      // The method may catch the error, and go on with less.
      for (const [index, { key }] of entries.entries()) this.resize(key, sizes[index]);
      Object.assign(this, before);
      throw full;
    }
    if (!(await this.answered(() => this.store.append(this.attempt, entries))))
      throw new TaskLostError(
        'The lease of the job ended before a step was stored, so another worker runs the job. The outcome of this attempt does not count.',
      );
    this.hasAppended = true;
    for (const [index, record] of records.entries()) this.keep((entries[index] as JournalEntry).key, record);
  }

  private async read(): Promise<void> {
    const { entries, posts } = await this.answered(() => this.store.read(this.attempt.taskId));
    this.seen = posts;
    for (const entry of entries) {
      this.count(entry);
      const record = recordOf(entry);
      if (record === null) continue;
      this.keep(entry.key, record);
      if (record.kind !== 'signal') continue;
      const earlier = this.signals.get(record.name);
      if (earlier === undefined) this.signals.set(record.name, [record]);
      else earlier.push(record);
    }
  }

  private answered<T>(call: () => T | Promise<T>): Promise<T> {
    return untilAnswered(this.clock, this.end, call);
  }

  private keep(key: string, record: JournalRecord): void {
    this.undoable += Number(isUndoable(record)) - Number(isUndoable(this.records.get(key)));
    this.records.set(key, record);
    if (record.kind === 'child') this.lastChildEnd = Math.max(this.lastChildEnd, record.at);
    if (record.kind === 'step') this.lastStepEnd = Math.max(this.lastStepEnd, record.endedAt);
  }

  /** Counts an entry of an attempt. Returns the size of the one that it replaces. */
  private count({ key, body }: JournalEntry): number | undefined {
    if (/^(child|signal):/.test(key)) return undefined;
    const size = Buffer.byteLength(body);
    const replaced = this.sizes.get(key);
    this.sizes.set(key, size);
    this.bytes += size - (replaced ?? 0);
    if (replaced !== undefined) return replaced;
    if (/^(call|submit):/.test(key)) this.calls++;
    else this.entries++;
    return undefined;
  }

  private resize(key: string, size: number | undefined): void {
    if (size === undefined) this.sizes.delete(key);
    else this.sizes.set(key, size);
  }

  private fullError(): JournalFullError {
    return new JournalFullError(
      `The journal of the job is full: it has ${this.entries} steps and waits (at most ${MAX_ENTRIES}), ${this.calls} child jobs (at most ${MAX_ENTRIES}) and ${this.bytes} bytes (at most ${MAX_BYTES}). Move a part of the work to child jobs with ctx.call(), or return less from steps.`,
    );
  }
}
