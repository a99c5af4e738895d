import type { JournalEntry } from './journal.js';
import {
  type ChildRecord,
  type JournalRecord,
  keyOf,
  recordOf,
  type SignalRecord,
  type WaitRecord,
} from './journal-record.js';
import { payloadFromJson } from '../payload/payload-text.js';

/** One step, wait or child job of a durable job. */
export interface JobStep {
  /** The name, with a number behind it if the name was used before. */
  readonly name: string;
  readonly kind: 'step' | 'sleep' | 'waitFor' | 'call' | 'submit' | 'each';
  /** `waiting`: for its time, its signal, its child job or its next try. `undone`: its `undo` has been run. */
  readonly status: 'done' | 'waiting' | 'failed' | 'undone';
  readonly startedAt: Date;
  /** `null` while it waits, and for a wait whose end is not stored. */
  readonly endedAt: Date | null;
  /** The last error as text; `null` for none. */
  readonly error: string | null;
  /** The id of the job that it has started; `null` for none. */
  readonly taskId: string | null;
}

type Records = ReadonlyMap<string, JournalRecord | null>;
type Signals = ReadonlyMap<string, readonly SignalRecord[]>;

/** The steps of a journal, in the order in which they began. */
export function journalSteps(entries: readonly JournalEntry[]): JobStep[] {
  return stepsWithResults(entries).map(({ step }) => step);
}

/**
 * The same, each with a function that reads its result: that of a step or of a child job, or the value of a signal.
 * `null` for none. It throws a `PayloadError` for a value that Flowrra did not write.
 */
export function stepsWithResults(
  entries: readonly JournalEntry[],
): { readonly step: JobStep; readonly result: () => unknown }[] {
  const records: Records = new Map(entries.map((entry) => [entry.key, recordOf(entry)]));
  const signals = new Map<string, SignalRecord[]>();
  for (const record of records.values())
    if (record?.kind === 'signal') signals.set(record.name, [...(signals.get(record.name) ?? []), record]);
  return [...records.values()].flatMap((record) => {
    const step = stepOf(record, records, signals);
    return step === null ? [] : [{ step, result: () => resultOf(record, records, signals) }];
  });
}

function resultOf(record: JournalRecord | null, records: Records, signals: Signals): unknown {
  const stored =
    record?.kind === 'step'
      ? record.result
      : record?.kind === 'call'
        ? (records.get(keyOf('child', record.taskId)) as ChildRecord | undefined)?.result
        : record?.kind === 'wait'
          ? signalOf(record, records, signals)?.value
          : undefined;
  return stored === undefined ? null : payloadFromJson(stored);
}

/** The signal that ended a wait: the n-th of the name, without those waits that were over before theirs came. */
function signalOf(
  { name, isOver }: WaitRecord,
  records: Records,
  signals: Signals,
): SignalRecord | undefined {
  if (isOver) return undefined;
  const [base = '', number = '0'] = signals.has(name) ? [name] : name.split(/:(?=\d+$)/);
  let index = 0;
  for (let n = 0; n < Number(number); n++) {
    const earlier = records.get(keyOf('wait', n === 0 ? base : `${base}:${n}`)) as WaitRecord | undefined;
    if (earlier?.isOver !== true) index++;
  }
  return signals.get(base)?.[index];
}

function stepOf(record: JournalRecord | null, records: Records, signals: Signals): JobStep | null {
  if (record === null || !('name' in record) || record.kind === 'signal') return null;
  const { name } = record;
  const common = { name, startedAt: new Date(record.startedAt), error: null, taskId: null };
  switch (record.kind) {
    case 'step': {
      const { state, endedAt, error } = record;
      const text = error === undefined ? null : `${error.name}: ${error.message}`;
      const status = state === 'trying' ? 'waiting' : state;
      const end = state === 'trying' ? null : new Date(endedAt);
      return { ...common, kind: 'step', status, endedAt: end, error: text };
    }
    case 'sleep': {
      // Its end is not stored: a later step, or a second sleep, tells that it is over.
      const isOver = record.until <= latestStart(records);
      const endedAt = isOver ? new Date(record.until) : null;
      return { ...common, kind: 'sleep', status: isOver ? 'done' : 'waiting', endedAt };
    }
    case 'wait': {
      if (record.isOver)
        return {
          ...common,
          kind: 'waitFor',
          status: 'failed',
          endedAt: new Date(record.until ?? 0),
          error: 'SignalTimeoutError',
        };
      const at = signalOf(record, records, signals)?.at;
      return {
        ...common,
        kind: 'waitFor',
        status: at === undefined ? 'waiting' : 'done',
        endedAt: at === undefined ? null : new Date(at),
      };
    }
    case 'call': {
      const end = records.get(keyOf('child', record.taskId)) as ChildRecord | undefined;
      const endedAt = end === undefined ? null : new Date(end.at);
      const status = end === undefined ? 'waiting' : end.status === 'success' ? 'done' : 'failed';
      const last = end?.errors.at(-1);
      const error =
        end?.reason ?? (last === undefined || status === 'done' ? null : `${last.name}: ${last.message}`);
      return { ...common, kind: 'call', status, endedAt, error, taskId: record.taskId };
    }
    case 'submit':
      return { ...common, kind: 'submit', status: 'done', endedAt: common.startedAt, taskId: record.taskId };
    case 'each':
      return { ...common, kind: 'each', status: record.isDone ? 'done' : 'waiting', endedAt: null };
  }
}

function latestStart(records: Records): number {
  let latest = 0;
  for (const record of records.values())
    if (record !== null && 'startedAt' in record) latest = Math.max(latest, record.startedAt);
  return latest;
}
