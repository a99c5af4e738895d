import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { filter, firstValueFrom } from 'rxjs';
import { Work } from './work.js';

@Module({ imports: [FlowrraModule.forRoot({ cpuWorkers: 1 })], providers: [Work] })
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: ['error'], abortOnError: false });
const flowrra = app.get(FlowrraService);
const tasks = flowrra.tasks(Work);

async function ended(id: Promise<TaskId>): Promise<unknown> {
  const taskId = await id;
  const { status, result, error, progress } = await flowrra.waitForResult(taskId);
  const { logs } = (await flowrra.jobs.get(taskId)) ?? { logs: [] };
  return { taskId, status, result, error, progress, lines: logs.map(({ line }) => line) };
}

/** Cancels it once it says that it is under way. */
async function cancelled(id: Promise<TaskId>): Promise<unknown> {
  const said = firstValueFrom(flowrra.events$.pipe(filter(({ type }) => type === 'progress')));
  const taskId = await id;
  await said;
  const seen = await flowrra.getResult(taskId);
  await flowrra.cancel(taskId, { reason: 'no longer wanted' });
  return { while: [seen?.status, seen?.progress], ...((await ended(id)) as object) };
}

const answers = {
  deep: await ended(flowrra.with({ priority: 3, metadata: { tenant: 'ada' } }).submit('Work.deep')),
  chatty: await ended(tasks.chatty(1_000)),
  unfit: await ended(tasks.unfit()),
  polite: await cancelled(tasks.politeLoop()),
  deaf: await cancelled(tasks.deafLoop()),
  after: await ended(tasks.chatty(1)),
};
await app.close();
console.log(JSON.stringify(answers));
