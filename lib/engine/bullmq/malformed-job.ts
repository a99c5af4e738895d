import { PayloadError } from '../../job/errors.js';
import { showValue } from '../../job/show-value.js';
import type { BullJob } from './job-mapping.js';

/** The hash of a job on Redis. */
export type JobHash = Readonly<Record<string, string>>;

/** A field of a hash, its unreadable value, and a value that BullMQ can read. */
export interface Repair {
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

/** The property of a job's data that names its unreadable fields. Such a job fails without a retry. */
const UNREADABLE = '$unreadable';

const INTEGER = /^-?\d{1,16}$/;
const COUNTERS = ['atm', 'attemptsMade', 'ats', 'stc', 'delay', 'priority'];

/** The names of a hash's fields in Flowrra's API. */
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

/** Whether an error says that BullMQ, or one of its scripts, cannot read a job. */
export function isMalformed(error: unknown): boolean {
  const { name, message = '' } = (error ?? {}) as Partial<Error>;
  if (name === 'ReplyError') return /WRONGTYPE|hash value is not an integer/.test(message);
  return name === 'SyntaxError' || name === 'TypeError' || name === 'RangeError';
}

/** The changes that make a hash readable, and note the unreadable fields in its data; empty if BullMQ can read the hash. */
export function repairsOf(hash: JobHash): Repair[] {
  const repairs = [...faults(hash)].map(([field, to]) => ({ field, from: hash[field] ?? '', to }));
  if (repairs.length === 0) return repairs;
  const shown = repairs.flatMap(({ field }) => SHOWN[field] ?? [field]);
  const others = repairs.filter(({ field }) => field !== 'data');
  return [...others, { field: 'data', from: hash['data'] ?? '', to: dataNaming(hash['data'], shown) }];
}

/** The readable part of a job. */
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

/** A job for a key that holds no hash. */
export function notAJob(id: string): BullJob {
  const data = { args: [], [UNREADABLE]: ['args', 'metadata', 'taskName', 'submittedAt'] };
  return { id, name: '', data, attemptsMade: 0, timestamp: NaN, returnvalue: undefined };
}

/** The unreadable fields that a job's data names. */
export function unreadableIn(data: unknown): readonly string[] {
  const names: unknown =
    typeof data === 'object' && data !== null ? Reflect.get(data, UNREADABLE) : undefined;
  return Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [];
}

/** @throws {PayloadError} if a field of the job is unreadable. */
export function checkReadable({ data, attemptsMade, timestamp }: BullJob): void {
  const fields = [...unreadableIn(data)];
  if (!Number.isInteger(attemptsMade)) fields.push('retries');
  if (!Number.isInteger(timestamp)) fields.push('submittedAt');
  if (fields.length === 0) return;
  throw new PayloadError(
    'job',
    `another program has written fields that cannot be read: ${fields.map((field) => showValue(field)).join(', ')}`,
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

/** Unreadable data stays as text. */
function dataNaming(text: string | undefined, shown: readonly string[]): string {
  const names = { [UNREADABLE]: [...new Set(shown)] };
  if (!isJson(text)) return JSON.stringify({ args: [], ...names, data: text });
  const data: unknown = JSON.parse(text || '{}');
  const isFlowrraData = typeof data === 'object' && data !== null && Array.isArray(Reflect.get(data, 'args'));
  return JSON.stringify(isFlowrraData ? { ...data, ...names } : { args: [data], ...names });
}

/** Whether it is JSON or empty: BullMQ reads both. */
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
