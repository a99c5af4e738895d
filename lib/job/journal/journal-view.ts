import type { JournalEntry } from './journal.js';
import { type ChildRecord, type JournalRecord, keyOf, recordOf } from './journal-record.js';

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

/** The steps of a journal, in the order in which they began. */
export function journalSteps(entries: readonly JournalEntry[]): JobStep[] {
  const records = new Map(entries.map((entry) => [entry.key, recordOf(entry)]));
  const signals = new Map<string, number[]>();
  for (const record of records.values())
    if (record?.kind === 'signal') signals.set(record.name, [...(signals.get(record.name) ?? []), record.at]);
  return [...records.values()].flatMap((record) => stepOf(record, records, signals) ?? []);
}

function stepOf(
  record: JournalRecord | null,
  records: ReadonlyMap<string, JournalRecord | null>,
  signals: ReadonlyMap<string, number[]>,
): JobStep | null {
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
      const [base, number = '0'] = name.split(/:(?=\d+$)/);
      const at = signals.get(base as string)?.[Number(number)];
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

function latestStart(records: ReadonlyMap<string, JournalRecord | null>): number {
  let latest = 0;
  for (const record of records.values())
    if (record !== null && 'startedAt' in record) latest = Math.max(latest, record.startedAt);
  return latest;
}
