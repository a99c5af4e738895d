// sample-app/ranking/cpu.module.ts
import { Module } from '@nestjs/common';
import { RankingTasks, Weights } from './ranking.tasks.js';

/** The module of the threads. Each thread makes an application context of it. */
@Module({ providers: [Weights, RankingTasks] })
export default class CpuModule {}
