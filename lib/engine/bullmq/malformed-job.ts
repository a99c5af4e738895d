import { PayloadError } from '../../job/errors.js';
import { showValue } from '../../job/show-value.js';
import type { BullJob } from './job-mapping.js';

/** The hash of a job on Redis, as it lies there. */
export type JobHash = Readonly<Record<string, string>>;

/** A field of a hash, what it says, and what BullMQ can read in its place. */
export interface Repair {
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

/** Where a job's data says which of its fields could not be read: it then fails for good. */
const MARK = '$unreadable';

const INTEGER = /^-?\d{1,16}$/;
const COUNTERS = ['atm', 'attemptsMade', 'ats', 'stc', 'delay', 'priority'];

/** What users call the fields of a hash. */
const SHOWN: Readonly<Record<string, readonly string[]>> = {
  name: ['taskName'],
  data: ['args', 'metadata'],
  opts: ['options'],
  timestamp: ['submittedAt'],
  atm: ['retries'],
  attemptsMade: ['retries'],
  ats: ['retries'],
  stc: ['retries'],
};

/** Whether an error says that BullMQ, or one of its scripts, cannot make sense of what a job holds. */
export function isMalformed(error: unknown): boolean {
  const { name, message = '' } = (error ?? {}) as Partial<Error>;
  if (name === 'ReplyError') return /WRONGTYPE|hash value is not an integer/.test(message);
  return name === 'SyntaxError' || name === 'TypeError' || name === 'RangeError';
}

/** What makes a hash one that BullMQ can read; nothing for one that it can. Its data then says what was wrong. */
export function repairsOf(hash: JobHash): Repair[] {
  const repairs = [...faults(hash)].map(([field, to]) => ({ field, from: hash[field] ?? '', to }));
  if (repairs.length === 0) return repairs;
  const shown = repairs.flatMap(({ field }) => SHOWN[field] ?? [field]);
  const others = repairs.filter(({ field }) => field !== 'data');
  return [...others, { field: 'data', from: hash['data'] ?? '', to: markedData(hash['data'], shown) }];
}

/** The job that a hash was meant to be, as far as that can be told. */
export function salvaged(id: string, hash: JobHash): BullJob {
  const fields: Record<string, string> = { ...hash };
  for (const { field, to } of repairsOf(hash)) fields[field] = to;
  const { returnvalue } = fields;
  const number = (field: string): number => Number.parseInt(fields[field] ?? '', 10);
  return {
    id,
    name: fields['name'] ?? '',
    data: JSON.parse(fields['data'] || '{}'),
    attemptsMade: number('attemptsMade') || number('atm') || 0,
    timestamp: number('timestamp'),
    priority: number('priority') || 0,
    progress: JSON.parse(fields['progress'] || '0'),
    processedOn: number('processedOn') || undefined,
    finishedOn: number('finishedOn') || undefined,
    failedReason: fields['failedReason'],
    returnvalue: returnvalue && isJson(returnvalue) ? JSON.parse(returnvalue) : undefined,
  };
}

/** Something that is no job at all lies where one should be. */
export function noJob(id: string): BullJob {
  const data = { args: [], [MARK]: ['args', 'metadata', 'taskName', 'submittedAt'] };
  return { id, name: '', data, attemptsMade: 0, timestamp: NaN, returnvalue: undefined };
}

/** Which fields of a job's data were found unreadable, by users' names. */
export function unreadableIn(data: unknown): readonly string[] {
  const marks: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, MARK) : undefined;
  return Array.isArray(marks) ? marks.filter((mark): mark is string => typeof mark === 'string') : [];
}

/** @throws {PayloadError} if a part of the job was found unreadable. */
export function checkReadable({ data, attemptsMade, timestamp }: BullJob): void {
  const fields = [...unreadableIn(data)];
  if (!Number.isInteger(attemptsMade)) fields.push('retries');
  if (!Number.isInteger(timestamp)) fields.push('submittedAt');
  if (fields.length === 0) return;
  throw new PayloadError(
    'job',
    `another program has written what cannot be read: ${fields.map((field) => showValue(field)).join(', ')}`,
  );
}

function* faults(hash: JobHash): Generator<[string, string]> {
  if (hash['name'] === undefined) yield ['name', ''];
  if (!INTEGER.test(hash['timestamp'] ?? '')) yield ['timestamp', '0'];
  for (const field of COUNTERS) if (!INTEGER.test(hash[field] ?? '0')) yield [field, '0'];
  if (!isJson(hash['data'])) yield ['data', ''];
  if (!isJson(hash['progress'])) yield ['progress', '0'];
  if (!isJsonObject(hash['opts'])) yield ['opts', '{}'];
  if (hash['parent'] && !isJsonObject(hash['parent'])) yield ['parent', ''];
}

/** The text that could not be read stays beside the mark. */
function markedData(text: string | undefined, shown: readonly string[]): string {
  const mark = { [MARK]: [...new Set(shown)] };
  if (!isJson(text)) return JSON.stringify({ args: [], ...mark, data: text });
  const data: unknown = JSON.parse(text || '{}');
  const isOurs = typeof data === 'object' && data !== null && Array.isArray(Reflect.get(data, 'args'));
  return JSON.stringify(isOurs ? { ...data, ...mark } : { args: [data], ...mark });
}

/** Or nothing, which BullMQ reads as well. */
function isJson(text: string | undefined): boolean {
  if (!text) return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isJsonObject(text: string | undefined): boolean {
  if (!isJson(text)) return false;
  const value: unknown = JSON.parse(text || '{}');
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
