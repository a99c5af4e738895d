import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FlowrraModule, FlowrraService } from 'flowrra';
import { RankingTasks, Weights } from './ranking.tasks.js';

@Module({
  imports: [
    // #region module
    FlowrraModule.forRoot({
      cpuWorkers: 2,
      cpu: { module: new URL('./cpu.module.js', import.meta.url) },
    }),
    // #endregion
  ],
  providers: [Weights, RankingTasks],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'], abortOnError: false });
const flowrra = app.get(FlowrraService);
const id = await flowrra.tasks(RankingTasks).rank([
  { title: 'read', likes: 9, shares: 0 },
  { title: 'shared', likes: 1, shares: 4 },
]);
const { result, error } = await flowrra.waitForResult(id);
await app.close();
console.log(JSON.stringify({ result, error }));
