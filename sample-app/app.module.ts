// sample-app/app.module.ts
import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { FlowrraExceptionFilter, FlowrraModule } from 'flowrra';
import { settings } from './config/settings.js';
import { DatasetsModule } from './datasets/datasets.module.js';
import { HealthModule } from './health/health.module.js';
import { IndexController } from './tasks/index.controller.js';
import { InvoicesModule } from './invoices/invoices.module.js';
import { NewslettersModule } from './newsletters/newsletters.module.js';
import { ReportsModule } from './reports/reports.module.js';
import { SchedulesModule } from './schedules/schedules.module.js';
import { TasksModule } from './tasks/tasks.module.js';
import { carryTenant } from './tenant.js';
import { UsersModule } from './users/users.module.js';
import { WorkflowsModule } from './workflows/workflows.module.js';

@Module({
  imports: [
    // #region module
    FlowrraModule.forRoot({
      engine: settings.engine,
      role: settings.role,
      numWorkers: 10,
      cpuWorkers: 2,
      cpu: { mode: settings.cpuMode },
      queues: { datasets: { concurrency: 2 } },
      maxPending: 10_000,
      whenFull: 'reject',
      context: carryTenant,
    }),
    // #endregion
    UsersModule,
    DatasetsModule,
    HealthModule,
    InvoicesModule,
    NewslettersModule,
    ReportsModule,
    SchedulesModule,
    TasksModule,
    WorkflowsModule,
  ],
  controllers: [IndexController],
  providers: [{ provide: APP_FILTER, useClass: FlowrraExceptionFilter }],
})
export class AppModule {}
