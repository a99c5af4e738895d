import { DurableTaskError } from '../../job/durable-errors.js';
import type { NamedKind } from '../../job/journal/journal-record.js';
import { METHODS } from './inside-step.js';

/** The names of an attempt's calls: two of one name at the same time are refused, and those that follow each other are numbered. */
export class CallNames {
  private readonly open = new Set<string>();
  private readonly counts = new Map<string, number>();
  private readonly waits = new Map<string, Promise<unknown>>();

  /**
   * Runs a call while its name is taken.
   *
   * @param fn Gets the name with a number behind it if the name was used before.
   * @throws {DurableTaskError} if a call of this name is under way.
   */
  async during<T>(kind: NamedKind, base: string, fn: (name: string) => Promise<T>): Promise<T> {
    const key = `${kind}:${base}`;
    if (this.open.has(key))
      throw new DurableTaskError(
        `ctx.${METHODS[kind]}: '${base}' is still under way, and was begun again. Give each its own name${kind === 'call' || kind === 'submit' ? ': ctx.with({ key: … })' : ''}, such as one that contains the id of its subject.`,
      );
    this.open.add(key);
    const count = this.counts.get(key) ?? 0;
    this.counts.set(key, count + 1);
    try {
      return await fn(count === 0 ? base : `${base}:${count}`);
    } finally {
      this.open.delete(key);
    }
  }

  /** A second wait for a signal, while one is under way, joins it. */
  joined(signal: string, wait: () => Promise<unknown>): Promise<unknown> {
    let waiting = this.waits.get(signal);
    if (waiting === undefined) {
      waiting = wait().finally(() => this.waits.delete(signal));
      this.waits.set(signal, waiting);
    }
    return waiting;
  }
}

/** The name of a child job's call. */
export function childName(taskName: string, key: string | undefined): string {
  return key === undefined ? taskName : `${taskName}#${key}`;
}
