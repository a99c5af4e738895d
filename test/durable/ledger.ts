import { existsSync, readFileSync } from 'node:fs';
import type { JobDetails } from '../../lib/index.js';
import type { Program } from './fixtures/program.js';
import { orderedSteps, stepsOf } from './model.js';

export interface Line {
  readonly word:
    'started' | 'submitted' | 'waits' | 'began' | 'ended' | 'passed' | 'failed' | 'undoing' | 'undid';
  readonly taskId: string;
  /** The name of a step or a signal; the path of a program that was started or submitted. */
  readonly name: string;
  readonly number: number;
}

/** The lines of all processes, in the order in which they were written. The last line may be incomplete. */
export function readLedger(file: string): Line[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const [word, taskId, name, number] = line.split(' ') as [Line['word'], string, string, string];
    return { word, taskId, name, number: Number(number) };
  });
}

/** Submissions of which a job has started none, or more than one. */
export function badlySubmitted(lines: readonly Line[]): string[] {
  const started = jobsByName(lines, 'started');
  const jobsOf = (path: string): number => started.get(path)?.size ?? 0;
  return [...jobsByName(lines, 'submitted')].flatMap(([path, submitters]) => {
    // One that was killed after its submission has not noted it.
    const most = jobsOf(path.slice(0, path.lastIndexOf('/')));
    const jobs = jobsOf(path);
    if (submitters.size <= jobs && jobs <= most) return [];
    return [`${path} was submitted by ${submitters.size} to ${most} jobs, and started ${jobs} jobs`];
  });
}

/** The ids of the jobs that have written the word with each name. */
function jobsByName(lines: readonly Line[], word: Line['word']): Map<string, Set<string>> {
  const jobs = new Map<string, Set<string>>();
  for (const { word: written, taskId, name } of lines)
    if (written === word) jobs.set(name, (jobs.get(name) ?? new Set()).add(taskId));
  return jobs;
}

export type EndedJob = Pick<JobDetails, 'taskId' | 'status' | 'steps'>;

/** Violations of the promises of durable tasks by one job that has ended. */
export function problemsOf(job: EndedJob, program: Program, lines: readonly Line[]): string[] {
  return [
    ...repeated(lines),
    ...unordered(program, lines),
    ...(job.status === 'success' ? undoneInVain(lines) : badlyUndone(job, program, lines)),
  ].map((problem) => `${job.taskId} (${program.path}, ${job.status}): ${problem}`);
}

/** Steps that began again after their result was stored. */
function repeated(lines: readonly Line[]): string[] {
  const stored = new Set<string>();
  const found: string[] = [];
  for (const { word, name } of lines) {
    if (word === 'passed') stored.add(name);
    if (word === 'began' && stored.has(name)) found.push(`${name} began after its result was stored`);
  }
  return found;
}

function unordered(program: Program, lines: readonly Line[]): string[] {
  const first = (words: readonly string[], step: string): number => {
    const index = lines.findIndex(({ word, name }) => name === step && words.includes(word));
    return index < 0 ? Infinity : index;
  };
  return orderedSteps(program)
    .filter(([before, after]) => {
      const began = first(['began'], after);
      return began !== Infinity && first(['passed', 'failed'], before) > began;
    })
    .map(([before, after]) => `${after} began before ${before} was stored`);
}

function undoneInVain(lines: readonly Line[]): string[] {
  return lines.filter(({ word }) => word === 'undoing').map(({ name }) => `${name} was undone`);
}

function badlyUndone({ steps }: EndedJob, program: Program, lines: readonly Line[]): string[] {
  const found: string[] = [];
  const canUndo = new Set(stepsOf(program.actions).flatMap(({ name, canUndo }) => (canUndo ? [name] : [])));
  const ended = new Set<string>();
  /** Each step once for each sequence of attempts to undo it. */
  const undone: string[] = [];
  for (const { word, name } of lines) {
    if (word === 'ended') ended.add(name);
    if (word === 'began' && undone.length > 0) found.push(`${name} began while steps were undone`);
    if (word !== 'undoing') continue;
    if (!ended.has(name)) found.push(`${name} was undone and has not ended`);
    if (undone.at(-1) !== name && undone.includes(name)) found.push(`${name} was undone twice`);
    if (undone.at(-1) !== name) undone.push(name);
  }
  for (const [one, other] of orderedSteps(program)) {
    // A step that has failed may end in a later attempt of the job, after steps that follow it.
    const [before, after] = lastEnd(lines, one) < lastEnd(lines, other) ? [one, other] : [other, one];
    const [first, second] = [undone.indexOf(after), undone.indexOf(before)];
    if (first >= 0 && second >= 0 && second < first) found.push(`${before} was undone before ${after}`);
  }
  const undid = new Set(lines.filter(({ word }) => word === 'undid').map(({ name }) => name));
  for (const { word, name } of lines)
    if (word === 'passed' && canUndo.has(name) && !undid.has(name)) found.push(`${name} was not undone`);
  for (const { name, status } of steps)
    if (status === 'done' && canUndo.has(name)) found.push(`${name} is recorded as done`);
  return [...new Set(found)];
}

function lastEnd(lines: readonly Line[], step: string): number {
  return lines.findLastIndex(({ word, name }) => word === 'ended' && name === step);
}
