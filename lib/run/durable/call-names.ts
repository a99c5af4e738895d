import { DurableTaskError } from '../../job/durable-errors.js';
import type { NamedKind } from '../../job/journal/journal-record.js';
import { METHODS } from './inside-step.js';

/** The names of an attempt's calls: two of one name at the same time are refused, and those that follow each other are numbered. */
export class CallNames {
  private readonly open = new Set<string>();
  private readonly counts = new Map<string, number>();
  /** The recorded names of this attempt's calls. */
  private readonly taken = new Set<string>();
  /** The number of loops of `each` that are under way. */
  private loops = 0;
  /** Calls that were begun in a loop. A later attempt does not begin those of finished items again. */
  private readonly inLoops = new Set<string>();
  private readonly waits = new Map<string, Promise<unknown>>();

  /**
   * Runs a call while its name is taken.
   *
   * @param fn Gets the name with a number behind it if the name was used before.
   * @throws {DurableTaskError} if a call of this name is under way, or its numbered name is that of another call.
   */
  async during<T>(kind: NamedKind, base: string, fn: (name: string) => Promise<T>): Promise<T> {
    const key = `${kind}:${base}`;
    if (this.open.has(key))
      throw new DurableTaskError(
        `ctx.${METHODS[kind]}: '${base}' is still under way, and was begun again. ${ownName(kind)}`,
      );
    this.open.add(key);
    try {
      return await fn(this.nameOf(kind, base));
    } finally {
      this.open.delete(key);
    }
  }

  private nameOf(kind: NamedKind, base: string): string {
    const key = `${kind}:${base}`;
    const count = this.counts.get(key) ?? 0;
    if (count > 0 && (this.loops > 0 || this.inLoops.has(key)))
      throw new DurableTaskError(
        `ctx.${METHODS[kind]}: '${base}' is used more than once in a job with ctx.each(). A later attempt does not run finished items again, so calls of one name cannot be numbered. ${ownName(kind)}`,
      );
    if (this.loops > 0) this.inLoops.add(key);
    this.counts.set(key, count + 1);
    const name = count === 0 ? base : `${base}:${count}`;
    const taken = `${kind}:${name}`;
    if (this.taken.has(taken))
      throw new DurableTaskError(
        `ctx.${METHODS[kind]}: '${base}' would be recorded as '${name}', which is the name of another call. Calls of one name are numbered in this way: choose a name that does not end with a number behind a colon.`,
      );
    this.taken.add(taken);
    return name;
  }

  /** A loop of `each` has begun. Call the returned function at its end. */
  loop(): () => void {
    this.loops++;
    return () => void this.loops--;
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

function ownName(kind: NamedKind): string {
  const key = kind === 'call' || kind === 'submit' ? ': ctx.with({ key: … })' : '';
  return `Give each its own name${key}, such as one that contains the id of its subject.`;
}

/** The name of a child job's call. */
export function childName(taskName: string, key: string | undefined): string {
  return key === undefined ? taskName : `${taskName}#${key}`;
}
