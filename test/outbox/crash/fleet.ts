import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures } from '../../support/fixtures.js';
import type { MemberSettings, Role, ShopPlace } from './fixtures/place.js';

interface Member {
  readonly role: Role;
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly ended: Promise<[code: number | null, signal: string | null]>;
}

export function compileMembers(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return join(compileFixtures(join(here, 'fixtures'), 'outbox-crash'), 'member.js');
}

/** The processes of one shop. */
export class Fleet {
  private members: Member[] = [];
  private count = 0;

  constructor(
    private readonly program: string,
    private readonly place: ShopPlace,
    private readonly seed: number,
  ) {}

  size(role: Role): number {
    return this.of(role).length;
  }

  /** Starts a process. It is not awaited. */
  start(role: Role, hasRelay: boolean): void {
    const settings: MemberSettings = {
      ...this.place,
      role,
      name: `${role}${++this.count}`,
      hasRelay,
      seed: this.seed,
    };
    const child = spawn(process.execPath, ['--no-warnings', this.program, JSON.stringify(settings)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close') as Member['ended'];
    const ready = Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]).then(
      (isReady) => {
        if (!isReady) throw new Error(`${settings.name} ended by itself before it was ready`);
      },
    );
    // The next call of `ready` or `kill` rejects with the error.
    ready.catch(() => undefined);
    this.members.push({ role, child, ready, ended });
  }

  /** Resolves when all processes run. */
  async ready(): Promise<void> {
    await Promise.all(this.members.map(({ ready }) => ready));
  }

  /** Kills a process of the role. Resolves with its process id. */
  async kill(role: Role, index: number): Promise<number> {
    const member = this.of(role)[index] as Member;
    await member.ready;
    this.members = this.members.filter((other) => other !== member);
    member.child.kill('SIGKILL');
    const [code] = await member.ended;
    if (code !== null) throw new Error(`A ${role} ended by itself with ${code} before it was killed`);
    return member.child.pid as number;
  }

  /** Stops all processes of the role, like a deployment. Resolves with their exit codes. */
  async stop(role: Role): Promise<(number | null)[]> {
    await this.ready();
    const members = this.of(role);
    this.members = this.members.filter((member) => !members.includes(member));
    return Promise.all(
      members.map(async ({ child, ended }) => {
        child.kill('SIGTERM');
        return (await ended)[0];
      }),
    );
  }

  remove(): void {
    for (const { child } of this.members.splice(0)) child.kill('SIGKILL');
  }

  private of(role: Role): Member[] {
    return this.members.filter((member) => member.role === role);
  }
}
