import { randomBytes } from 'node:crypto';

const TIME_DIGITS = 9;
const COUNTER_DIGITS = 4;
const RANDOM_BYTES = 12;
const SUBMISSION_BYTES = 9;
/** Random bytes are drawn for this many ids at once, since a call costs more than the bytes. */
const IDS_PER_DRAW = 256;
const GENERATED = /^b[0-9a-z]{13}[\w-]{16}\.([\w.-]+)$/;

/**
 * Generates the ids of new jobs: the time and a counter, so that ids sort by submission (results of the
 * same millisecond are dropped in the order of their ids), 96 random bits, and the queue, so that a
 * query needs no search.
 */
export class IdGenerator {
  private counter = 0;
  private time = { at: NaN, digits: '' };
  private drawn = Buffer.alloc(0);
  private used = 0;

  next(queue: string, now: number): string {
    if (this.time.at !== now) this.time = { at: now, digits: digits(now, TIME_DIGITS) };
    this.counter = (this.counter + 1) % 36 ** COUNTER_DIGITS;
    return `b${this.time.digits}${digits(this.counter, COUNTER_DIGITS)}${this.random()}.${queue}`;
  }

  private random(): string {
    if (this.used === this.drawn.length) {
      this.drawn = randomBytes(RANDOM_BYTES * IDS_PER_DRAW);
      this.used = 0;
    }
    this.used += RANDOM_BYTES;
    return this.drawn.toString('base64url', this.used - RANDOM_BYTES, this.used);
  }
}

/** Distinguishes one submission with a chosen id from others with the same id. */
export function submissionToken(): string {
  return randomBytes(SUBMISSION_BYTES).toString('base64url');
}

/** The queue in a generated id; `null` for a chosen id. */
export function queueOf(taskId: string): string | null {
  return GENERATED.exec(taskId)?.[1] ?? null;
}

function digits(number: number, length: number): string {
  return number.toString(36).padStart(length, '0');
}
