import { randomFillSync } from 'node:crypto';

/**
 * Ids of this store: `s`, a tag of the file, the job's row, and 136 random bits. With the row in
 * the id no index from id to job is needed, which would cost more than all else of an insert; the
 * random part makes the id unguessable, and comparing the whole id tells a job from any other.
 */
const TAG = 5;
const ROW = 9;
const RANDOM = 23;
const LENGTH = 1 + TAG + ROW + RANDOM;
/** Bytes of 23 base64 digits, rounded up; the digits that they would overlap in are cut off. */
const RANDOM_BYTES = 18;
const IDS_PER_REFILL = 256;

export class SqliteIds {
  private readonly prefix: string;
  private readonly random = Buffer.alloc(RANDOM_BYTES * IDS_PER_REFILL);
  private used = this.random.length;

  /** @param tag A number below 36^5 that the file keeps. */
  constructor(tag: number) {
    this.prefix = `s${digits(tag, TAG)}`;
  }

  mint(row: number): string {
    if (this.used === this.random.length) {
      randomFillSync(this.random);
      this.used = 0;
    }
    const random = this.random.toString('base64url', this.used, this.used + RANDOM_BYTES);
    this.used += RANDOM_BYTES;
    return this.prefix + digits(row, ROW) + random.slice(0, RANDOM);
  }

  /** The row that an id of this file names, or -1 for any other string. */
  rowOf(taskId: string): number {
    if (taskId.length !== LENGTH || !taskId.startsWith(this.prefix)) return -1;
    const row = taskId.slice(1 + TAG, 1 + TAG + ROW);
    return /^[0-9a-z]+$/.test(row) ? parseInt(row, 36) : -1;
  }
}

function digits(number: number, length: number): string {
  return number.toString(36).padStart(length, '0');
}
