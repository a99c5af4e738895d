import { Module } from '@nestjs/common';
import { PrimeTasks } from './prime.tasks.js';
import { ReportsController } from './reports.controller.js';

@Module({ controllers: [ReportsController], providers: [PrimeTasks] })
export class ReportsModule {}
