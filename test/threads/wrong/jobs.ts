import 'reflect-metadata';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, FlowrraService } from 'flowrra';
import { Extending, Optional, Plain, Priced, Rates, Subpriced } from './work.js';

const here = (file: string): URL => new URL(file, import.meta.url);

/** Runs a job for each task name in an application of its own, with that module for the threads. */
async function run(
  module: URL | undefined,
  tasks: readonly string[],
  started: (flowrra: FlowrraService) => void = () => undefined,
): Promise<unknown[]> {
  const optional = { provide: Optional, useFactory: () => new Optional() };
  const providers = [Rates, Plain, Extending, optional, ...(module ? [Priced, Subpriced] : [])];
  @Module({ imports: [FlowrraModule.forRoot({ cpuWorkers: 1, cpu: { module } })], providers })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  const flowrra = app.get(FlowrraService);
  started(flowrra);
  const answers: unknown[] = [];
  for (const task of tasks) {
    const job = await flowrra.waitForResult(await flowrra.submit(task, 100));
    answers.push({ retries: job.retries, result: job.result, error: job.error, code: job.errors[0]?.code });
  }
  await app.close();
  return answers;
}

const register = (name: string, file: string) => (flowrra: FlowrraService) =>
  flowrra.register({ name, cpuBound: true, retryDelay: 1, file: here(file), export: 'work' }, () => 1);

writeFileSync(here('./typed.ts'), 'declare const sealed: any;\n@sealed\nexport class Work {}\n');
const answers = {
  standsAlone: await run(undefined, [
    'Plain.double',
    'Extending.double',
    'Extending.triple',
    'Optional.times',
  ]),
  besideModule: await run(here('./cpu.module.js'), ['Plain.double', 'Priced.gross', 'Subpriced.gross']),
  noDefault: await run(here('./bare.js'), ['Priced.gross', 'Plain.double']),
  broken: await run(here('./broken.js'), ['Priced.gross', 'Priced.gross']),
  unresolved: await run(here('./unresolved.module.js'), ['Priced.gross']),
  late: await run(here('./late.module.js'), ['Priced.gross']),
  noTarget: await run(undefined, ['work'], register('work', './bare.js')),
  typescript: await run(undefined, ['work'], register('work', './typed.ts')),
  gone: await run(undefined, ['work'], (flowrra) => {
    copyFileSync(here('./bare.js'), here('./gone.js'));
    register('work', './gone.js')(flowrra);
    rmSync(here('./gone.js'));
  }),
};
console.log(JSON.stringify(answers));
