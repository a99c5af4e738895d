import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BullMqOptions } from '../../../lib/engine/bullmq/index.js';
import type { SqliteOptions } from '../../../lib/engine/sqlite/index.js';
import { compileFixtures } from '../../support/fixtures.js';

/** How long a worker that is to die at a write may have none. */
const LONGEST_WAIT_MS = 3_000;

/** Where the workers of a fleet keep their jobs. */
export type Place =
  | { readonly sqlite: Pick<SqliteOptions, 'file'> }
  | { readonly bullmq: Pick<BullMqOptions, 'connection' | 'prefix'> };

/** An attempt, as a worker has written it down. */
export interface Ran {
  readonly taskId: string;
  readonly name: string;
  /** The time of the occurrence. */
  readonly at: number;
  /** The number of missed occurrences that it makes up for. */
  readonly missed: number;
  readonly started: number;
}

/** Everything that the workers of a fleet have written down. */
export interface Journals {
  readonly ran: readonly Ran[];
  /** The ids of jobs, once for each end that was announced. */
  readonly succeeded: readonly string[];
  readonly failed: readonly string[];
  /** Milliseconds between the due time of an occurrence and its submission, with the name of the schedule. */
  readonly lateness: readonly (readonly [name: string, ms: number])[];
  /** The number of workers that ended themselves at a write. */
  readonly died: number;
}

interface Member {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
}

const fixtures = compileFixtures(
  join(dirname(fileURLToPath(import.meta.url)), 'fixtures'),
  'fleet-schedules',
);

/** Worker processes that share one engine, and their journals. A dead one is replaced by a new one. */
export class ScheduleFleet {
  private readonly folder = mkdtempSync(join(tmpdir(), 'flowrra-schedules-'));
  private readonly members: Member[] = [];
  private started = 0;

  constructor(private readonly place: Place) {}

  async start(workers: number): Promise<void> {
    await Promise.all(Array.from({ length: workers }, () => this.startOne()));
  }

  /** Kills a worker with SIGKILL, wherever it stands. */
  async kill(index: number): Promise<void> {
    const { child, ended } = this.take(index);
    child.kill('SIGKILL');
    await ended;
  }

  /** Stops a worker as a deployment does. */
  async stop(index: number): Promise<void> {
    const { child, ended } = this.take(index);
    child.kill('SIGTERM');
    const [code] = (await ended) as [number | null];
    if (code !== 0) throw new Error(`A worker ended with ${code} at its stop.`);
  }

  /**
   * A worker ends itself at the next write of an occurrence that it has submitted. One that has nothing to write, since
   * others handle all occurrences, is killed after a while.
   */
  async die(index: number, moment: 'before the write' | 'after the write'): Promise<void> {
    const { child, ended } = this.take(index);
    child.stdin?.write(`${moment}\n`);
    const timer = setTimeout(() => child.kill('SIGKILL'), LONGEST_WAIT_MS);
    await ended;
    clearTimeout(timer);
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.members.slice().map(() => this.stop(0)));
  }

  async killAll(): Promise<void> {
    await Promise.all(this.members.slice().map(() => this.kill(0)));
  }

  journals(): Journals {
    const ran: Ran[] = [];
    const ends = { succeeded: [] as string[], failed: [] as string[] };
    const lateness: [string, number][] = [];
    let died = 0;
    for (const line of this.lines()) {
      const [word, taskId = '', name = '', at, value, written] = line.split(' ');
      if (word === 'ran')
        ran.push({ taskId, name, at: Number(at), missed: Number(value), started: Number(written) });
      else if (word === 'scheduled') lateness.push([name, Number(value)]);
      else if (word === 'succeeded' || word === 'failed') ends[word].push(taskId);
      else if (word === 'died') died++;
    }
    return { ran, ...ends, lateness, died };
  }

  remove(): void {
    for (const { child } of this.members) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async startOne(): Promise<void> {
    const journal = join(this.folder, `journal-${this.started++}`);
    const args = ['--no-warnings', join(fixtures, 'worker.js'), JSON.stringify(this.place)];
    const child = spawn(process.execPath, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, FLEET_JOURNAL: journal },
    });
    const ended = once(child, 'close');
    const ready = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
    if (!ready) throw new Error(`A worker ended with ${String(child.exitCode)} before it was ready.`);
    this.members.push({ child, ended });
  }

  private take(index: number): Member {
    return this.members.splice(index, 1)[0] as Member;
  }

  private lines(): string[] {
    return Array.from({ length: this.started }, (_, number) =>
      join(this.folder, `journal-${number}`),
    ).flatMap((file) => readFileSync(file, 'utf8').split('\n'));
  }
}
