import { Module } from '@nestjs/common';
import { DatasetTasks } from './dataset.tasks.js';
import { DatasetsController } from './datasets.controller.js';

@Module({ controllers: [DatasetsController], providers: [DatasetTasks] })
export class DatasetsModule {}
