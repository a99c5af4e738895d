import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures } from '../support/fixtures.js';
import { type Journal, readJournal } from './journal.js';
import { endLeases } from './leases.js';

/** Code and signal that a process ended with. */
export type End = [code: number | null, signal: string | null];

/** The settings of every worker of a fleet. */
export interface WorkerSettings {
  readonly connection: string;
  readonly prefix: string;
  readonly lease: string;
  readonly maxRescues: number;
  readonly numWorkers: number;
  readonly shutdownTimeout: string;
  /** Milliseconds between a worker's checks for jobs whose lease has ended. */
  readonly stalledInterval: number;
}

interface Member {
  readonly journal: string;
  readonly child: ChildProcess;
  readonly ended: Promise<End>;
  killed: boolean;
}

const fixtures = compileFixtures(join(dirname(fileURLToPath(import.meta.url)), 'fixtures'), 'fleet');

/** Worker processes that share one server, and their journals. */
export class Fleet {
  private readonly folder = mkdtempSync(join(tmpdir(), 'flowrra-fleet-'));
  private readonly members: Member[] = [];

  constructor(private readonly settings: WorkerSettings) {}

  /** Starts a further worker. Resolves with its number when it is ready, or has been killed by a job. */
  async start(env: Record<string, string> = {}): Promise<number> {
    const number = this.members.length;
    const journal = join(this.folder, `journal-${number}`);
    const args = ['--no-warnings', join(fixtures, 'worker.js'), JSON.stringify(this.settings)];
    const child = spawn(process.execPath, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env, FLEET_JOURNAL: journal },
    });
    const ended = once(child, 'close') as Promise<End>;
    this.members.push({ journal, child, ended, killed: false });
    const ready = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
    // A job may kill the worker before it is ready.
    if (!ready && child.signalCode !== 'SIGKILL')
      throw new Error(`Worker ${number} ended with ${String(child.exitCode)} before it was ready`);
    return number;
  }

  async kill(number: number): Promise<void> {
    const member = this.member(number);
    member.child.kill('SIGKILL');
    const [code] = await member.ended;
    if (code !== null) throw new Error(`Worker ${number} ended by itself with ${code} before it was killed`);
    member.killed = true;
  }

  /** Sends SIGTERM, like a rolling deployment. Resolves with code and signal of the exit. */
  async stop(number: number): Promise<End> {
    const { child, ended } = this.member(number);
    child.kill('SIGTERM');
    return ended;
  }

  /** Resolves when a job has killed this worker. */
  async death(number: number): Promise<void> {
    const member = this.member(number);
    const [code] = await member.ended;
    if (code !== null) throw new Error(`Worker ${number} ended by itself with ${code}`);
    member.killed = true;
  }

  /** Ends the leases of a killed worker at once. */
  async endLeases(number: number): Promise<void> {
    const { connection, prefix } = this.settings;
    await endLeases(connection, prefix, this.member(number).child.pid as number);
  }

  journal(number: number): Journal {
    const { journal, killed } = this.member(number);
    return readJournal(journal, killed);
  }

  journals(): Journal[] {
    return this.members.map((_member, number) => this.journal(number));
  }

  remove(): void {
    for (const { child } of this.members) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private member(number: number): Member {
    return this.members[number] as Member;
  }
}
