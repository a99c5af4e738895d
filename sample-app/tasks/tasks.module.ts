import { Module } from '@nestjs/common';
import { TaskLog } from './task-log.js';
import { QueuesController } from './queues.controller.js';
import { TasksController } from './tasks.controller.js';

@Module({ controllers: [TasksController, QueuesController], providers: [TaskLog] })
export class TasksModule {}
