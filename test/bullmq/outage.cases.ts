import { Injectable, Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { setTimeout as pause } from 'node:timers/promises';
import type { ServiceControls } from '../../scripts/services/services.d.mts';
import { bullmq, type BullMqOptions } from '../../lib/engine/bullmq/index.js';
import {
  EngineError,
  FlowrraError,
  FlowrraModule,
  type FlowrraModuleOptions,
  FlowrraService,
  SubmitUncertainError,
  Task,
} from '../../lib/index.js';
import { startApp } from '../support/app.js';
import { Gate } from '../support/gate.js';
import { until } from '../support/until.js';

/** For tests that wait for the end of an outage: even on a busy machine, no call times out. */
const PATIENT = { submitTimeout: '1h', lease: '1h' } as const;
/**
 * For tests with a silent server: short, so that a test ends soon. The start waits for a server that a busy machine
 * makes silent.
 */
const IMPATIENT = { submitTimeout: '1s', whenUnreachable: 'wait' } as const;

@Injectable()
class Work {
  readonly ran: string[] = [];
  gate = new Gate();

  @Task()
  note(word: string): string {
    this.ran.push(word);
    return word;
  }

  @Task()
  async hold(word: string): Promise<string> {
    this.ran.push(word);
    await this.gate.passed;
    return word;
  }
}

function sockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
}

/** The guarantees during an outage, for both servers. */
export function outageCases(server: () => ServiceControls): void {
  const started: { close(): Promise<void> }[] = [];
  let places = 0;
  let prefix = '';
  let errors: jest.SpiedFunction<Logger['error']>;

  beforeEach(() => {
    prefix = `outage${places++}`;
    errors = jest.spyOn(Logger.prototype, 'error');
  });
  afterEach(async () => {
    await server().restart();
    for (const app of started.splice(0)) await app.close();
    jest.restoreAllMocks();
  });

  async function start(options: Partial<BullMqOptions> = {}, more: FlowrraModuleOptions = {}) {
    const work = new Work();
    const engine = bullmq({
      connection: server().url,
      prefix,
      ...PATIENT,
      ...options,
    });
    const { app, flowrra } = await startApp(
      { engine, ...more },
      { providers: [{ provide: Work, useValue: work }] },
    );
    started.push(app);
    return { app, flowrra, work };
  }

  const submit = (flowrra: FlowrraService, word: string): Promise<string> =>
    Promise.resolve(flowrra.submit('Work.note', word));

  const rejection = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      (value) => ({ accepted: value }),
      (error: unknown) => error,
    );

  /** The first call after a crash may be the one that notices it. */
  async function refusedFor(flowrra: FlowrraService, word: string): Promise<unknown> {
    for (;;) {
      const error = await rejection(submit(flowrra, word));
      if (!(error instanceof SubmitUncertainError)) return error;
    }
  }

  /** Submits until the server accepts. An uncertain submission is repeated with its id, so that it is one job. */
  async function accepted(
    flowrra: FlowrraService,
    word: string,
    taskId?: string,
    task: 'Work.note' | 'Work.hold' = 'Work.note',
  ): Promise<string> {
    const submission = taskId === undefined ? flowrra : flowrra.with({ taskId });
    const answer = await rejection(Promise.resolve(submission.submit(task, word)));
    if (!(answer instanceof Error)) return (answer as { accepted: string }).accepted;
    await pause(20);
    return accepted(flowrra, word, answer instanceof SubmitUncertainError ? answer.taskId : taskId, task);
  }

  describe('at the start', () => {
    it('fails with the reason, and leaves nothing open', async () => {
      await server().kill();
      await expect(start()).rejects.toMatchObject({
        code: 'FLOWRRA_ENGINE',
        message: expect.stringMatching(/ cannot be used: .*ECONNREFUSED.*whenUnreachable: 'wait'/),
      });
      expect(errors).not.toHaveBeenCalled();
    });

    it("waits for the server with whenUnreachable: 'wait', logs that once, and works afterwards", async () => {
      await server().kill();
      const starting = start({ whenUnreachable: 'wait' });
      await until(() => errors.mock.calls.length > 0, { describe: 'the outage is logged' });
      await server().restart();
      const { flowrra } = await starting;
      const taskId = await submit(flowrra, 'patient');
      expect(await flowrra.waitForResult(taskId)).toMatchObject({ status: 'success', result: 'patient' });
      expect(errors.mock.calls.map(([line]) => line)).toEqual([expect.stringMatching(/ is unreachable: /)]);
    });
  });

  describe('later', () => {
    it('rejects submissions, and adds no rejected job afterwards', async () => {
      const { flowrra, work } = await start();
      await server().kill();
      const error = await refusedFor(flowrra, 'refused');
      expect(error).toBeInstanceOf(EngineError);
      expect((error as Error).cause).toHaveProperty('message');
      await server().restart();
      await flowrra.waitForResult(await accepted(flowrra, 'accepted'));
      expect(work.ran.filter((word) => word === 'refused')).toEqual([]);
      expect(await flowrra.pendingCount()).toBe(0);
    });

    it('stores the result of a job that ran meanwhile, settles waits for it, and goes on', async () => {
      const { flowrra, work } = await start();
      const taskId = await flowrra.submit('Work.hold', 'through');
      const result = flowrra.waitForResult(taskId);
      await until(() => work.ran.length > 0, { describe: 'the job runs' });
      await server().kill();
      await refusedFor(flowrra, 'refused');
      work.gate.open();
      await server().restart();
      expect(await result).toMatchObject({ status: 'success', result: 'through', retries: 0 });
      const next = await accepted(flowrra, 'next');
      expect(await flowrra.waitForResult(next)).toMatchObject({ status: 'success' });
      expect(work.ran.filter((word) => word === 'through')).toHaveLength(1);
    });

    it('queries reject with the cause; waits for results go on until the server answers', async () => {
      const { flowrra } = await start();
      const taskId = await submit(flowrra, 'read');
      await flowrra.waitForResult(taskId);
      await server().kill();
      await refusedFor(flowrra, 'refused');
      expect(await rejection(flowrra.getResult(taskId))).toBeInstanceOf(EngineError);
      expect(await rejection(Promise.resolve(flowrra.pendingCount()))).toBeInstanceOf(EngineError);
      const waiting = flowrra.waitForResult(taskId);
      await server().restart();
      expect(await waiting).toMatchObject({ status: 'success' });
    });

    it('is logged once, and so is its end', async () => {
      const said = jest.spyOn(Logger.prototype, 'log');
      const { flowrra, work } = await start();
      const results = Array.from({ length: 20 }, () => flowrra.submit('Work.hold', 'many'));
      for (const taskId of await Promise.all(results)) flowrra.waitForResult(taskId).catch(() => undefined);
      await server().kill();
      for (let n = 0; n < 20; n++) {
        await rejection(submit(flowrra, 'refused'));
        await pause(50);
      }
      expect(errors.mock.calls.map(([line]) => line)).toEqual([expect.stringMatching(/ is unreachable: /)]);
      await server().restart();
      await accepted(flowrra, 'back');
      const isOver = (): boolean => said.mock.calls.some(([line]) => / answers again/.test(String(line)));
      await until(isOver, { describe: 'the end of the outage is logged' });
      work.gate.open();
    });
  });

  describe('silence', () => {
    afterEach(() => server().resume());

    it('a submission ends with an id with which it may be repeated, or is rejected', async () => {
      const { flowrra, work } = await start(IMPATIENT);
      server().pause();
      const error = await rejection(submit(flowrra, 'uncertain'));
      server().resume();
      const uncertain = error instanceof SubmitUncertainError;
      if (uncertain) {
        const { taskId } = error;
        expect(await accepted(flowrra, 'uncertain', taskId)).toBe(taskId);
        await flowrra.waitForResult(taskId);
      } else expect(error).toBeInstanceOf(EngineError);
      await flowrra.waitForResult(await accepted(flowrra, 'afterwards'));
      expect(work.ran).toEqual(uncertain ? ['uncertain', 'afterwards'] : ['afterwards']);
    });

    it('submissions behind it are rejected, or have an id as well', async () => {
      const { flowrra, work } = await start(IMPATIENT);
      server().pause();
      const words = Array.from({ length: 30 }, (_, n) => `word-${n}`);
      const answers = await Promise.all(words.map((word) => rejection(submit(flowrra, word))));
      server().resume();
      const last = await accepted(flowrra, 'last');
      await flowrra.waitForResult(last);
      answers.forEach((answer, n) => {
        const ran = work.ran.includes(words[n] as string);
        if (answer instanceof EngineError) expect(ran).toBe(false);
        else expect(answer).toBeInstanceOf(SubmitUncertainError);
      });
    });

    it('at the start, fails as well', async () => {
      server().pause();
      await expect(start({ submitTimeout: '1s' })).rejects.toMatchObject({ code: 'FLOWRRA_ENGINE' });
    });
  });

  describe('closing', () => {
    it.each(['away', 'silent'] as const)('ends while the server is %s, though a job runs', async (how) => {
      const before = sockets();
      const { app, flowrra, work } = await start({}, { shutdownTimeout: '100ms' });
      const hold = (): Promise<string> => accepted(flowrra, 'held', undefined, 'Work.hold');
      await hold();
      const waiting = flowrra.waitForResult(await hold());
      waiting.catch(() => undefined);
      await until(() => work.ran.length === 2, { describe: 'both jobs run' });
      if (how === 'away') await server().kill();
      else server().pause();
      work.gate.open();
      await app.close();
      await expect(waiting).rejects.toBeInstanceOf(FlowrraError);
      // They would keep the process alive.
      await until(() => sockets() <= before, { describe: 'all sockets are closed' });
      server().resume();
    });

    it('ends while the start still waits for the server', async () => {
      await server().kill();
      const engine = bullmq({ connection: server().url, prefix, whenUnreachable: 'wait' });
      const module = await Test.createTestingModule({
        imports: [FlowrraModule.forRoot({ engine })],
      }).compile();
      const starting = rejection(module.init());
      await until(() => errors.mock.calls.length > 0, { describe: 'the outage is logged' });
      await module.get(FlowrraService).stop();
      expect(await starting).toMatchObject({ code: 'FLOWRRA_NOT_RUNNING' });
    });
  });
}
