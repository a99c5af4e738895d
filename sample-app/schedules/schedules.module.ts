import { Module } from '@nestjs/common';
import { ReportTasks } from './report.tasks.js';
import { SchedulesController } from './schedules.controller.js';
import { SyncTasks } from './sync.tasks.js';
import { TenantSyncController } from './tenant-sync.controller.js';

@Module({
  controllers: [SchedulesController, TenantSyncController],
  providers: [ReportTasks, SyncTasks],
})
export class SchedulesModule {}
