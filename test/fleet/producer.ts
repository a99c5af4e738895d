import { setTimeout as pause } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { EngineError, type FlowrraService, SubmitUncertainError } from '../../lib/index.js';
import { bullmq } from '../../lib/engine/bullmq/index.js';
import { startApp } from '../support/app.js';

const KINDS = ['fast', 'slow', 'fast', 'failsOnce', 'fast', 'sum', 'fast', 'slow', 'fast', 'fast'] as const;
export type Kind = (typeof KINDS)[number] | 'kill' | 'deaf';

/** Concurrent submitters. */
const SUBMITTERS = 6;
/** Jobs of one `submitMany`, and of one turn of a submitter. */
const TURN = 25;
/** The producer pauses while more jobs wait, so that it submits for as long as the workers run. */
const BACKLOG = 800;
const AGAIN_MS = 20;
/** Concurrent waits, and how long each waits before a job counts as lost. */
const WAITERS = 100;
const PATIENCE = '5m';

/** An application that submits jobs and runs none. It repeats rejected submissions. */
export class Producer {
  /** All accepted jobs. */
  readonly accepted = new Map<string, Kind>();
  /** Jobs of batches that may have been accepted or not. */
  uncertain = 0;
  private number = 0;

  private constructor(
    private readonly app: INestApplicationContext,
    readonly flowrra: FlowrraService,
  ) {}

  static async start(connection: string, prefix: string): Promise<Producer> {
    const remoteTasks = Object.fromEntries(
      [...KINDS, 'kill', 'deaf'].map((kind) => [
        `Work.${kind}`,
        { queue: kind === 'sum' ? 'cpu' : 'default' },
      ]),
    );
    const engine = bullmq({ connection, prefix });
    const { app, flowrra } = await startApp({ role: 'producer', engine, remoteTasks });
    return new Producer(app, flowrra);
  }

  /** Submits jobs of all kinds, one by one and in batches, until that many further jobs are accepted. */
  async feed(jobs: number): Promise<void> {
    let left = jobs;
    const submitInTurns = async (batches: boolean): Promise<void> => {
      while (left > 0) {
        const size = Math.min(TURN, left);
        left -= size;
        await this.room();
        if (batches) await this.many(this.nextKind(), size);
        else for (let job = 0; job < size; job++) await this.one(this.nextKind());
      }
    };
    await Promise.all(Array.from({ length: SUBMITTERS }, (_, index) => submitInTurns(index % 2 === 0)));
  }

  /** An uncertain submission is repeated with its id, so that it is one job in any case. */
  async one(kind: Kind): Promise<string> {
    let taskId: string | undefined;
    for (;;) {
      const submission = taskId === undefined ? this.flowrra : this.flowrra.with({ taskId });
      try {
        return this.accept(await submission.submit(`Work.${kind}`, this.number++), kind);
      } catch (error) {
        if (error instanceof SubmitUncertainError) ({ taskId } = error);
        else if (!(error instanceof EngineError)) throw error;
        await pause(AGAIN_MS);
      }
    }
  }

  async many(kind: Kind, size: number): Promise<void> {
    for (;;) {
      const args = Array.from({ length: size }, () => [this.number++]);
      try {
        for (const taskId of await this.flowrra.submitMany(`Work.${kind}`, args)) this.accept(taskId, kind);
        return;
      } catch (error) {
        if (error instanceof SubmitUncertainError) this.uncertain += size;
        else if (!(error instanceof EngineError)) throw error;
        await pause(AGAIN_MS);
      }
    }
  }

  /** Waits for all accepted jobs. Returns those without the expected result. */
  async problems(): Promise<string[]> {
    const found: string[] = [];
    const jobs = this.accepted.entries();
    const waiter = async (): Promise<void> => {
      for (const [taskId, kind] of jobs) {
        const outcome = await this.flowrra.waitForResult(taskId, { timeout: PATIENCE }).then(
          ({ status, error, retries }) => `${status} ${error} ${retries}`,
          (error: Error) => error.name,
        );
        const right = `success null ${kind === 'failsOnce' ? 1 : 0}`;
        if (outcome !== right) found.push(`${taskId} (${kind}) was accepted, and became: ${outcome}`);
      }
    };
    await Promise.all(Array.from({ length: WAITERS }, waiter));
    return found;
  }

  async close(): Promise<void> {
    await this.app.close();
  }

  private accept(taskId: string, kind: Kind): string {
    this.accepted.set(taskId, kind);
    return taskId;
  }

  private nextKind(): Kind {
    return KINDS[this.number % KINDS.length] as Kind;
  }

  private async room(): Promise<void> {
    // During an outage the number is unknown; then the producer submits.
    while ((await this.flowrra.pendingCount().catch(() => 0)) > BACKLOG) await pause(AGAIN_MS);
  }
}
