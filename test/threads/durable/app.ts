import 'reflect-metadata';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type FlowrraEvent, FlowrraModule, FlowrraService, type TaskId } from 'flowrra';
import { filter, firstValueFrom } from 'rxjs';
import { Labels, Work } from './cpu.module.js';

const effects = join(mkdtempSync(join(tmpdir(), 'flowrra-')), 'effects');
process.env['EFFECTS'] = effects;

@Module({
  imports: [
    FlowrraModule.forRoot({ cpuWorkers: 1, cpu: { module: new URL('./cpu.module.js', import.meta.url) } }),
  ],
  providers: [Labels, Work],
})
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: ['error'], abortOnError: false });
const flowrra = app.get(FlowrraService);
const work = flowrra.tasks(Work);

/** The job's id, once an event has come. */
async function reached(
  submitted: () => Promise<TaskId>,
  hasCome: (event: FlowrraEvent) => boolean = ({ type }) => type === 'progress',
): Promise<string> {
  const event = firstValueFrom(flowrra.events$.pipe(filter(hasCome)));
  const id = await submitted();
  await event;
  return id;
}

/** The job's id, once it waits for a signal. A short sleep may end before the job is suspended. */
const suspended = (submitted: () => Promise<TaskId>): Promise<string> =>
  reached(submitted, (event) => event.type === 'suspended' && event.delay === null);

async function ended(id: string): Promise<{ status: string; result: unknown; error: string | null }> {
  const { status, result, error } = await flowrra.waitForResult(id);
  return { status, result, error };
}

/** The effects since the last call. */
function did(): string[] {
  const lines = readFileSync(effects, 'utf8').split('\n').filter(Boolean);
  writeFileSync(effects, '');
  return lines;
}

const where = async (): Promise<unknown> => (await ended(await work.where())).result;
const shown: Record<string, unknown> = {};
const first = await where();

// It sleeps, is retried, and waits.
const order = await suspended(() => work.fulfil('o1'));
shown['freed'] = [(await where()) === first, (await flowrra.getResult(order))?.status];
await flowrra.signal(order, 'approval', 'ada');
const fulfilled = await ended(order);
await ended((fulfilled.result as { sent: string }).sent);
shown['fulfilled'] = fulfilled;
shown['fulfilledBy'] = did();
shown['steps'] = (await flowrra.jobs.get(order))?.steps.map(
  ({ kind, name, status }) => `${kind} ${name} ${status}`,
);

const beside = await suspended(() => work.beside());
shown['beside'] = did();
await flowrra.signal(beside, 'go');
shown['besideEnd'] = [await ended(beside), did()];

shown['errors'] = await ended(await work.errors());

for (const how of ['throw', 'exit'] as const) {
  const booked = await suspended(() => work.book(how));
  await flowrra.signal(booked, 'go');
  shown[how] = [await ended(booked), did()];
}
const changed = await suspended(() => work.book('throw'));
await flowrra.cancel(changed, { reason: 'changed my mind' });
shown['cancelled'] = [await ended(changed), did()];

const deaf = await reached(() => work.deaf());
await flowrra.cancel(deaf, { reason: 'too slow' });
shown['deaf'] = [await ended(deaf), did()];

const aborted = await suspended(() => work.aborted());
await where();
shown['aborted'] = did();
await flowrra.cancel(aborted);

await app.close();
console.log(JSON.stringify(shown));
