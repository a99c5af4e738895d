import { randomBytes } from 'node:crypto';

const TIME_DIGITS = 9;
const COUNTER_DIGITS = 4;
const RANDOM_BYTES = 12;
/** Random bytes are drawn for so many ids at once: drawing costs more than the bytes do. */
const DRAWN_AT_ONCE = 256;
const MINTED = /^b[0-9a-z]{13}[\w-]{16}\.([\w.-]+)$/;

/**
 * Ids of new jobs: the time and a counter, so that they sort by submission (results of the same
 * millisecond are dropped in the order of their ids), 96 random bits, and the queue, so that asking
 * for a result needs no search.
 */
export class IdMint {
  private counter = 0;
  private time = { at: NaN, digits: '' };
  private drawn = Buffer.alloc(0);
  private used = 0;

  mint(queue: string, now: number): string {
    if (this.time.at !== now) this.time = { at: now, digits: digits(now, TIME_DIGITS) };
    this.counter = (this.counter + 1) % 36 ** COUNTER_DIGITS;
    return `b${this.time.digits}${digits(this.counter, COUNTER_DIGITS)}${this.random()}.${queue}`;
  }

  private random(): string {
    if (this.used === this.drawn.length) {
      this.drawn = randomBytes(RANDOM_BYTES * DRAWN_AT_ONCE);
      this.used = 0;
    }
    this.used += RANDOM_BYTES;
    return this.drawn.toString('base64url', this.used - RANDOM_BYTES, this.used);
  }
}

function digits(number: number, length: number): string {
  return number.toString(36).padStart(length, '0');
}

/** The queue of an id that was minted, or `null` for one that somebody chose. */
export function queueOf(taskId: string): string | null {
  return MINTED.exec(taskId)?.[1] ?? null;
}
