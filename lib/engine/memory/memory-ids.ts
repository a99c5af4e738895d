import { randomBytes, randomFillSync } from 'node:crypto';

const DIGITS = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', 'latin1');
const TAG = 3;
const SLOT = 5;
const RANDOM = 22;
const SLOT_AT = 1 + TAG;
const RANDOM_AT = SLOT_AT + SLOT;
const LENGTH = RANDOM_AT + RANDOM;
const IDS_PER_REFILL = 512;

/**
 * Ids of the memory store: `m`, a tag of the store, the job's slot, and 132 random bits. Because the id contains
 * the slot, no index from id to job is needed, which would be the largest single cost of a job. The random bits
 * make the id unguessable, and tell a job from a later job in the same slot.
 */
export class MemoryIds {
  private readonly text = Buffer.alloc(LENGTH);
  private readonly random = Buffer.alloc(RANDOM * IDS_PER_REFILL);
  private readonly prefix: string;
  private used = this.random.length;

  constructor() {
    this.text[0] = 0x6d;
    this.writeDigits(1, randomBytes(TAG));
    this.prefix = this.text.toString('latin1', 0, SLOT_AT);
  }

  /** Returns a flat string: one that is joined from parts would take more than twice the memory. */
  generate(slot: number): string {
    const { text, random } = this;
    for (let at = SLOT_AT, rest = slot; at < RANDOM_AT; at++, rest >>>= 6)
      text[at] = DIGITS[rest & 63] as number;
    if (this.used === random.length) {
      randomFillSync(random);
      this.used = 0;
    }
    let used = this.used;
    for (let at = RANDOM_AT; at < LENGTH; at++) text[at] = DIGITS[(random[used++] as number) & 63] as number;
    this.used = used;
    return text.toString('latin1');
  }

  /** The slot in an id of this store; -1 for any other string. */
  slotOf(taskId: string): number {
    if (taskId.length !== LENGTH || !taskId.startsWith(this.prefix)) return -1;
    let slot = 0;
    for (let at = RANDOM_AT - 1; at >= SLOT_AT; at--) {
      const digit = DIGITS.indexOf(taskId.charCodeAt(at));
      if (digit < 0) return -1;
      slot = slot * 64 + digit;
    }
    return slot;
  }

  private writeDigits(at: number, bytes: Buffer): void {
    for (const byte of bytes) this.text[at++] = DIGITS[byte & 63] as number;
  }
}
