const CHUNK_BITS = 12;
const CHUNK = 1 << CHUNK_BITS;
const MASK = CHUNK - 1;

/**
 * Objects by a small number that is handed out again once it is free. It grows by chunks, so it is
 * never copied, and free slots hold the number of the next free one, so they need no list.
 */
export class SlotTable<T extends object> {
  private readonly chunks: (T | number)[][] = [];
  private firstFree = -1;
  private size = 0;

  /** The slot that `put` must be called with next. */
  take(): number {
    const slot = this.firstFree;
    if (slot < 0) {
      if ((this.size & MASK) === 0) this.chunks.push(Array.from<T | number>({ length: CHUNK }).fill(-1));
      return this.size++;
    }
    this.firstFree = this.chunk(slot)[slot & MASK] as number;
    return slot;
  }

  put(slot: number, value: T): void {
    this.chunk(slot)[slot & MASK] = value;
  }

  /** What lies in a slot; `undefined` for a free one, and for one that was never handed out. */
  get(slot: number): T | undefined {
    const value = slot >= 0 && slot < this.size ? this.chunk(slot)[slot & MASK] : undefined;
    return typeof value === 'object' ? value : undefined;
  }

  free(slot: number): void {
    this.chunk(slot)[slot & MASK] = this.firstFree;
    this.firstFree = slot;
  }

  *values(): Iterable<T> {
    for (const chunk of this.chunks) for (const value of chunk) if (typeof value === 'object') yield value;
  }

  /** What lies in lower slots, backwards, each with its slot. */
  *before(slot: number): Iterable<[number, T]> {
    for (let at = Math.min(slot, this.size) - 1; at >= 0; at--) {
      const value = this.chunk(at)[at & MASK];
      if (typeof value === 'object') yield [at, value];
    }
  }

  /** One more than the highest slot that was ever handed out. */
  get end(): number {
    return this.size;
  }

  /** Whether a slot was ever handed out. */
  knows(slot: number): boolean {
    return slot >= 0 && slot < this.size;
  }

  private chunk(slot: number): (T | number)[] {
    return this.chunks[slot >>> CHUNK_BITS] as (T | number)[];
  }
}
