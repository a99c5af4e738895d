import { payloadFromJson, payloadToJson } from '../../../job/payload/payload-text.js';
import type { LogLine } from '../../../job/job.js';
import { copyOf, storable } from '../job-mapping.js';

/** BullMQ says 0 of a job that has reported nothing. */
const NOTHING = 0;

const ROW = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) #(\d+) ([^]*)$/;

/** What BullMQ is given as a job's progress, as JSON: most tools show a number as a bar. */
export function progressText(progress: unknown): string {
  const json = payloadToJson(progress);
  return JSON.stringify(json === NOTHING || isWrapped(json) ? { progress: json } : json);
}

/** @throws {PayloadError} if another program has reported what cannot be read. */
export function progressOf(json: unknown): unknown {
  if (json === NOTHING || json === undefined) return null;
  return payloadFromJson(copyOf(isWrapped(json) ? json.progress : json)) ?? null;
}

/** A line as BullMQ's log keeps it, readable in its tools. */
export function rowOf({ at, attempt, line }: LogLine): string {
  return `${new Date(at).toISOString()} #${attempt} ${storable(line)}`;
}

/** @param submittedAt The time of a row that is not ours. */
export function lineOf(row: string, submittedAt: number): LogLine {
  const [, at, attempt, line] = ROW.exec(row) ?? [];
  return at === undefined || line === undefined || Number.isNaN(Date.parse(at))
    ? { at: submittedAt, attempt: 1, line: row }
    : { at: Date.parse(at), attempt: Number(attempt), line };
}

function isWrapped(json: unknown): json is { progress: unknown } {
  return typeof json === 'object' && json !== null && Object.keys(json).join() === 'progress';
}
