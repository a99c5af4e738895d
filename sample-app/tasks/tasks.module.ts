import { Module } from '@nestjs/common';
import { TaskLog } from './task-log.js';
import { QueuesController } from './queues.controller.js';
import { TasksController } from './tasks.controller.js';
import { UpdatesController } from './updates.controller.js';

@Module({ controllers: [TasksController, UpdatesController, QueuesController], providers: [TaskLog] })
export class TasksModule {}
