import type { Attempt } from '../../job/job.js';
import type { NamedKind } from '../../job/journal/journal-record.js';

/** One durable call of a method. */
export interface DurableCall {
  readonly kind: NamedKind;
  /** With a number behind it if the name was used before in the attempt. */
  readonly name: string;
  /** The arguments of a child job; `[]` for other calls. */
  readonly args: readonly unknown[];
}

/** Sees the durable calls of all attempts. With a probe, a method is run again after each call that has stored something. */
export interface DurableProbe {
  /** A call has taken its name. */
  began(attempt: Attempt, call: DurableCall): void;
}
