import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures } from '../support/fixtures.js';
import { DRIVER } from '../support/sqlite.js';

export interface WorkerPlace {
  readonly kind: 'sqlite' | 'redis' | 'postgres';
  /** The file or the address of the server. */
  readonly place: string;
  readonly lease: string;
}

interface Member {
  readonly child: ChildProcess;
  readonly ended: Promise<[code: number | null, signal: string | null]>;
}

/** The worker processes of one place. They append to one ledger. */
export class Workers {
  private members: Member[] = [];
  private readonly program: string;

  constructor(
    private readonly place: WorkerPlace,
    private readonly ledger: string,
  ) {
    const here = dirname(fileURLToPath(import.meta.url));
    const folder = compileFixtures(
      join(here, 'fixtures'),
      `durable-${place.kind}-${DRIVER.replace(':', '-')}`,
    );
    this.program = join(folder, 'worker.js');
  }

  get size(): number {
    return this.members.length;
  }

  async start(): Promise<void> {
    const args = ['--no-warnings', this.program, JSON.stringify({ ...this.place, driver: DRIVER })];
    const child = spawn(process.execPath, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, DURABLE_LEDGER: this.ledger },
    });
    const ended = once(child, 'close') as Member['ended'];
    this.members.push({ child, ended });
    const isReady = await Promise.race([
      once(child.stdout, 'data').then(() => true),
      ended.then(() => false),
    ]);
    if (!isReady) throw new Error(`A worker ended with ${String(child.exitCode)} before it was ready`);
  }

  /** Kills a worker. Resolves with its process id. */
  async kill(index: number): Promise<number> {
    const [{ child, ended }] = this.members.splice(index, 1) as [Member];
    child.kill('SIGKILL');
    const [code] = await ended;
    if (code !== null) throw new Error(`A worker ended by itself with ${code} before it was killed`);
    return child.pid as number;
  }

  /** Stops all workers, like a deployment. Resolves with their exit codes. */
  async stop(): Promise<(number | null)[]> {
    return Promise.all(
      this.members.splice(0).map(async ({ child, ended }) => {
        child.kill('SIGTERM');
        return (await ended)[0];
      }),
    );
  }

  remove(): void {
    for (const { child } of this.members.splice(0)) child.kill('SIGKILL');
  }
}
