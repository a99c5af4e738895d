import { Module } from '@nestjs/common';
import { TaskLog } from './task-log.js';
import { TasksController } from './tasks.controller.js';

@Module({ controllers: [TasksController], providers: [TaskLog] })
export class TasksModule {}
