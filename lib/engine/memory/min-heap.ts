/** A binary heap: the least element first, in logarithmic time. */
export class MinHeap<T> {
  private readonly items: T[] = [];

  constructor(private readonly before: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  peek(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    const { items } = this;
    let at = items.length;
    while (at > 0) {
      const parentAt = (at - 1) >>> 1;
      const parent = items[parentAt] as T;
      if (!this.before(item, parent)) break;
      items[at] = parent;
      at = parentAt;
    }
    items[at] = item;
  }

  /** Lets go of what does not pass. */
  retain(passes: (item: T) => boolean): void {
    for (const item of this.items.splice(0)) if (passes(item)) this.push(item);
  }

  pop(): T | undefined {
    const { items } = this;
    const first = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return first;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      if (childAt >= items.length) break;
      if (childAt + 1 < items.length && this.before(items[childAt + 1] as T, items[childAt] as T)) childAt++;
      if (!this.before(items[childAt] as T, last)) break;
      items[at] = items[childAt] as T;
      at = childAt;
    }
    items[at] = last;
    return first;
  }
}
