import type { Attempt } from '../job/job.js';
import { parentOf } from '../job/metadata.js';
import type { Outcome } from '../job/outcome.js';
import type { DeadLetters } from './dead-letters.js';
import type { ParentNotices } from './durable/parent-notices.js';
import type { LazyAbort } from './lazy-abort.js';

export interface BeforeTheEndParts {
  readonly deadLetters: Pick<DeadLetters, 'send'>;
  /** `null` if the engine keeps no journals. */
  readonly parents: Pick<ParentNotices, 'tell'> | null;
}

/** The messages that are sent before an outcome is stored, so that a crash loses none of them. */
export interface EndMessages {
  /** The task that gets the dead letter. */
  readonly deadLetter: string | null;
  /** The job that has called this one. */
  readonly parent: string | null;
}

/** `null` for an outcome without messages. */
export function messagesOf(
  outcome: Outcome,
  { metadata }: Attempt,
  handler: string | null,
): EndMessages | null {
  const deadLetter = outcome.kind === 'failed' ? handler : null;
  const parent = metadata === undefined || !isEnd(outcome) ? null : (parentOf(metadata) ?? null);
  return deadLetter === null && parent === null ? null : { deadLetter, parent };
}

/** Resolves with `false` if `end` is aborted before all messages are sent. */
export async function sendMessages(
  { deadLetter, parent }: EndMessages,
  attempt: Attempt,
  outcome: Outcome,
  { deadLetters, parents }: BeforeTheEndParts,
  end: LazyAbort,
): Promise<boolean> {
  if (deadLetter !== null && outcome.kind === 'failed')
    if (!(await deadLetters.send(deadLetter, attempt, outcome.error, end))) return false;
  return parent === null || parents === null || parents.tell(parent, attempt, outcome, end);
}

function isEnd({ kind }: Outcome): boolean {
  return kind === 'success' || kind === 'failed' || kind === 'cancelled';
}
