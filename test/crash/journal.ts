import { readFileSync } from 'node:fs';

/** What one process wrote about what it did, up to the moment of its end. */
export interface Journal {
  readonly killed: boolean;
  /** Ids by the key of the job, of every `submit` that resolved. */
  readonly submitted: ReadonlyMap<string, string>;
  /** Attempts that began, and that ran to their end, as `key attempt`. */
  readonly began: ReadonlySet<string>;
  readonly ended: readonly string[];
  /** Ids of jobs whose success was announced, which is after it was stored. */
  readonly stored: readonly string[];
  /** Status and retries by id, as the last process read them. */
  readonly results: ReadonlyMap<string, string>;
}

export function readJournal(file: string, killed: boolean): Journal {
  const submitted = new Map<string, string>();
  const results = new Map<string, string>();
  const began = new Set<string>();
  const lines: Record<'ended' | 'stored', string[]> = { ended: [], stored: [] };
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [word, first = '', ...rest] = line.split(' ');
    if (word === 'submitted') submitted.set(first, rest[0] as string);
    else if (word === 'result') results.set(first, rest.join(' '));
    else if (word === 'stored') lines.stored.push(first);
    else if (word === 'began') began.add([first, ...rest].join(' '));
    else if (word === 'ended') lines.ended.push([first, ...rest].join(' '));
  }
  return { killed, submitted, results, began, ...lines };
}

/**
 * What is wrong in the journals of all processes that shared a file; nothing should be. A job may
 * run again only where a kill came between its attempt and its storing.
 */
export function problems(journals: readonly Journal[], results: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  for (const [key, taskId] of journals.flatMap(({ submitted }) => [...submitted])) {
    const result = results.get(taskId);
    if (!result?.startsWith('success')) found.push(`${key} was accepted and is ${result ?? 'lost'}`);
  }
  const stored = count(journals.flatMap((journal) => journal.stored));
  for (const [taskId, times] of stored) if (times > 1) found.push(`${taskId} was finished ${times} times`);
  for (const [attempt, times] of count(journals.flatMap(({ ended }) => ended))) {
    const interrupted = journals.filter(({ killed, began }) => killed && began.has(attempt)).length;
    if (times > 1 + interrupted)
      found.push(`${attempt} ran ${times} times, and ${interrupted} kills can explain it`);
  }
  for (const { ended } of journals)
    for (const [attempt, times] of count(ended))
      if (times > 1) found.push(`${attempt} ran twice in one process`);
  return found;
}

function count(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
