// sample-app/schedules/schedules.controller.ts
import { Body, Controller, Get, HttpCode, NotFoundException, Param, Post, Res } from '@nestjs/common';
import { FlowrraService, type ScheduleDetails, type ScheduleInfo } from 'flowrra';
import { type Accepted, locate, type Located } from '../tasks/accepted.js';

/** For operators: put it behind a guard of yours. */
@Controller('schedules')
export class SchedulesController {
  constructor(private readonly flowrra: FlowrraService) {}

  @Get()
  list(): Promise<ScheduleInfo[]> {
    return this.flowrra.schedules.list();
  }

  @Get(':name')
  async get(@Param('name') name: string): Promise<ScheduleDetails> {
    const schedule = await this.flowrra.schedules.get(name);
    if (schedule === null) throw new NotFoundException();
    return schedule;
  }

  @Post(':name/pause')
  @HttpCode(204)
  pause(@Param('name') name: string, @Body() body?: { reason?: string; by?: string }): Promise<void> {
    const { reason, by } = body ?? {};
    return this.flowrra.schedules.pause(name, { ...(reason && { reason }), ...(by && { by }) });
  }

  @Post(':name/resume')
  @HttpCode(204)
  resume(@Param('name') name: string): Promise<void> {
    return this.flowrra.schedules.resume(name);
  }

  @Post(':name/trigger')
  @HttpCode(202)
  async trigger(
    @Param('name') name: string,
    @Res({ passthrough: true }) response: Located,
  ): Promise<Accepted> {
    return locate(response, await this.flowrra.schedules.trigger(name));
  }
}
