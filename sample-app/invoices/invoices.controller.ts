import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { FlowrraService } from 'flowrra';
import { type Accepted, locate, type Located } from '../tasks/accepted.js';
import type { InvoiceDto } from './invoice.dto.js';
import { InvoiceTasks } from './invoice.tasks.js';

@Controller('invoices')
export class InvoicesController {
  constructor(private readonly flowrra: FlowrraService) {}

  /** What is not valid, the task's own pipe refuses here already: 400. */
  @Post()
  @HttpCode(202)
  async send(@Body() body: InvoiceDto, @Res({ passthrough: true }) response: Located): Promise<Accepted> {
    return locate(response, await this.flowrra.tasks(InvoiceTasks).send(body));
  }
}
