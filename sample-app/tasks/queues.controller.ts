// sample-app/tasks/queues.controller.ts
import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { FlowrraService, type JobPage, type QueueCounts } from 'flowrra';

/** For operators: put it behind a guard of yours. */
@Controller('queues')
export class QueuesController {
  constructor(private readonly flowrra: FlowrraService) {}

  @Get()
  counts(): Promise<readonly QueueCounts[]> {
    return this.flowrra.jobs.counts();
  }

  @Get(':queue/failed')
  failed(@Param('queue') queue: string): Promise<JobPage> {
    return this.flowrra.jobs.find({ status: 'failed', queue, limit: 20 });
  }

  @Post(':queue/pause')
  @HttpCode(204)
  pause(@Param('queue') queue: string): Promise<void> {
    return this.flowrra.queues.pause(queue);
  }

  @Post(':queue/resume')
  @HttpCode(204)
  resume(@Param('queue') queue: string): Promise<void> {
    return this.flowrra.queues.resume(queue);
  }
}
