// sample-app/reports/reports.controller.ts
import { BadRequestException, Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { FlowrraService } from 'flowrra';
import { type Accepted, locate, type Located } from '../tasks/accepted.js';
import { PrimeTasks } from './prime.tasks.js';

const LARGEST = 50_000_000;

@Controller('reports')
export class ReportsController {
  constructor(private readonly flowrra: FlowrraService) {}

  @Post('primes')
  @HttpCode(202)
  async primes(
    @Body() body: { below?: unknown } | undefined,
    @Res({ passthrough: true }) response: Located,
  ): Promise<Accepted> {
    const below = body?.below;
    if (typeof below !== 'number' || !Number.isInteger(below) || below < 2 || below > LARGEST) {
      throw new BadRequestException(`below must be a whole number from 2 to ${LARGEST}`);
    }
    return locate(response, await this.flowrra.with({ priority: 10 }).tasks(PrimeTasks).primesBelow(below));
  }
}
