import { setTimeout as pause } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import {
  type Engine,
  EngineError,
  type FlowrraService,
  JobFinishedError,
  type JobDetails,
} from '../../lib/index.js';
import { startApp } from '../support/app.js';
import type { Program } from './fixtures/program.js';
import { signalValue } from './model.js';

const TASK = 'Interpreter.run';
const AGAIN_MS = 20;
const UNFINISHED = ['pending', 'running', 'retrying', 'suspended'] as const;

/** Submits, signals, cancels and reads jobs, and runs none. Repeats calls that the engine has not answered. */
export class Client {
  private constructor(
    private readonly app: INestApplicationContext,
    private readonly flowrra: FlowrraService,
  ) {}

  static async start(engine: Engine): Promise<Client> {
    const remoteTasks = { [TASK]: { queue: 'default' } };
    const { app, flowrra } = await startApp({
      role: 'producer',
      engine,
      remoteTasks,
      resultTtl: '1d',
      maxResults: 1_000_000,
    });
    return new Client(app, flowrra);
  }

  async submit(program: Program): Promise<string> {
    return answered(() => this.flowrra.with({ taskId: `job-${program.path}` }).submit(TASK, program));
  }

  /** A signal to a job that has ended is dropped. */
  async signal(taskId: string, name: string): Promise<void> {
    await answered(() => this.flowrra.signal(taskId, name, signalValue(name), { id: 'only' })).catch(
      (error: unknown) => {
        if (!(error instanceof JobFinishedError)) throw error;
      },
    );
  }

  async cancel(taskId: string): Promise<void> {
    await answered(() => this.flowrra.cancel(taskId));
  }

  async isFinished(taskId: string): Promise<boolean> {
    const result = await answered(() => this.flowrra.getResult(taskId));
    return result !== null && !UNFINISHED.some((status) => status === result.status);
  }

  /** The ids of some unfinished jobs. */
  async unfinished(): Promise<string[]> {
    const { jobs } = await answered(() => this.flowrra.jobs.find({ status: [...UNFINISHED] }));
    return jobs.map(({ taskId, status, parentId }) => `${taskId} ${status} ${parentId}`);
  }

  async details(taskId: string): Promise<JobDetails | null> {
    return this.flowrra.jobs.get(taskId);
  }

  async close(): Promise<void> {
    await this.app.close();
  }
}

async function answered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      await pause(AGAIN_MS);
    }
  }
}
