import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, FlowrraService } from 'flowrra';
import { Plain } from './tasks.js';

@Module({ imports: [FlowrraModule.forRoot({ cpuWorkers: 1 })], providers: [Plain] })
class App {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(App, { logger: ['error'], abortOnError: false });
  const flowrra = app.get(FlowrraService);
  const answers: unknown[] = [];
  for (const name of ['Plain.work', 'Plain.composed', 'wrapped']) {
    const result = await flowrra.waitForResult(await flowrra.submit(name, 'task'));
    answers.push(result.result ?? result.error);
  }
  await app.close();
  console.log(JSON.stringify(answers));
}

void main();
