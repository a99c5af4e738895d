import { randomFillSync } from 'node:crypto';

/**
 * The parts of an id: `s`, a tag of the file, the job's row, and 136 random bits. Since the id contains the
 * row, no index from id to job is needed: that index would cost more than the rest of an insert. The random
 * part makes the id unguessable; the whole id is compared on every look-up.
 */
const TAG = 5;
const ROW = 9;
const RANDOM = 23;
const LENGTH = 1 + TAG + ROW + RANDOM;
/** 23 base64 digits need 17.25 bytes. The digit that would be left over is cut off. */
const RANDOM_BYTES = 18;
const IDS_PER_REFILL = 256;

/** Generates and reads the task ids of one database file. */
export class IdGenerator {
  private readonly prefix: string;
  private readonly random = Buffer.alloc(RANDOM_BYTES * IDS_PER_REFILL);
  private used = this.random.length;

  /** @param tag A number below 36^5 that is stored in the file. */
  constructor(tag: number) {
    this.prefix = `s${digits(tag, TAG)}`;
  }

  next(row: number): string {
    if (this.used === this.random.length) {
      randomFillSync(this.random);
      this.used = 0;
    }
    const random = this.random.toString('base64url', this.used, this.used + RANDOM_BYTES);
    this.used += RANDOM_BYTES;
    return this.prefix + digits(row, ROW) + random.slice(0, RANDOM);
  }

  /** The row of an id of this file; -1 for any other string. */
  rowOf(taskId: string): number {
    if (taskId.length !== LENGTH || !taskId.startsWith(this.prefix)) return -1;
    const row = taskId.slice(1 + TAG, 1 + TAG + ROW);
    return /^[0-9a-z]+$/.test(row) ? parseInt(row, 36) : -1;
  }
}

function digits(number: number, length: number): string {
  return number.toString(36).padStart(length, '0');
}
