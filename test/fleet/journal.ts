import { readFileSync } from 'node:fs';

/** One attempt in one process, until its end or that of the process. */
export interface Run {
  readonly taskId: string;
  readonly attempt: number;
  readonly started: number;
  /** Whether the task's code has ended. */
  readonly ended: boolean;
  /** How it was announced to have ended, which is after that was stored, and when. */
  readonly announced: Announcement | null;
}

export interface Announcement {
  readonly word: 'succeeded' | 'retrying' | 'failed' | 'released';
  readonly at: number;
}

export interface Journal {
  readonly killed: boolean;
  readonly runs: readonly Run[];
  /** Ids of jobs whose success, or final failure, was announced here. */
  readonly finished: readonly string[];
}

/** The beginning and the end of an outage. */
export type Outage = readonly [from: number, to: number];

type Line = [word: string, taskId: string, attempt: string, at: string];

export function readJournal(file: string, killed: boolean): Journal {
  const runs: Run[] = [];
  const open = new Map<string, Run & { ended: boolean; announced: Announcement | null }>();
  const finished: string[] = [];
  for (const line of readFileSync(file, 'utf8').trimEnd().split('\n')) {
    const [word, taskId, attempt, at] = line.split(' ') as Line;
    const key = `${taskId} ${attempt}`;
    if (word === 'started') {
      const run = { taskId, attempt: Number(attempt), started: Number(at), ended: false, announced: null };
      open.set(key, run);
      runs.push(run);
      continue;
    }
    const run = open.get(key);
    if (word === 'ended') {
      if (run !== undefined) run.ended = true;
      continue;
    }
    if (run !== undefined) run.announced = { word: word as Announcement['word'], at: Number(at) };
    if (word === 'succeeded' || word === 'failed') finished.push(taskId);
  }
  return { killed, runs, finished };
}

/**
 * What an engine that runs everything at least once has no excuse for: an attempt may run again
 * only if its process or its server died before what became of it was stored.
 */
export function problems(journals: readonly Journal[], outages: readonly Outage[]): string[] {
  const found: string[] = [];
  for (const [taskId, times] of count(journals.flatMap(({ finished }) => finished)))
    if (times > 1) found.push(`${taskId} was finished ${times} times`);
  const complete = journals.flatMap(({ runs, killed }) =>
    runs.filter((run) => !isInterrupted(run, killed, outages)).map((run) => `${run.taskId} ${run.attempt}`),
  );
  for (const [attempt, times] of count(complete))
    if (times > 1) found.push(`${attempt} ran ${times} times without a reason`);
  for (const { runs, killed } of journals) {
    for (const run of runs) {
      const { taskId, attempt, announced, ended } = run;
      if (announced === null && !isInterrupted(run, killed, outages))
        found.push(`${taskId} ${attempt} ran, and its end was not announced`);
      if ((announced?.word === 'succeeded' || announced?.word === 'retrying') && !ended)
        found.push(`${taskId} ${attempt} did not run to its end and was announced as ${announced.word}`);
    }
  }
  return found;
}

export function isInterrupted(run: Run, killed: boolean, outages: readonly Outage[]): boolean {
  const { started, announced } = run;
  if (announced === null && killed) return true;
  if (announced?.word === 'released') return true;
  return outages.some(([from, to]) => started < to && (announced === null || announced.at > from));
}

function count(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
