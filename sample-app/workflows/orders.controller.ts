// sample-app/workflows/orders.controller.ts
import { BadRequestException, Body, Controller, HttpCode, Param, Post, Res } from '@nestjs/common';
import { FlowrraService } from 'flowrra';
import { type Accepted, locate, type Located } from '../tasks/accepted.js';
import { type Approval, type Order, OrderTasks } from './order.tasks.js';

@Controller('orders')
export class OrdersController {
  constructor(private readonly flowrra: FlowrraService) {}

  /** The id of the job is that of the order: the same order again adds no second job. */
  @Post()
  @HttpCode(202)
  async place(
    @Body() { id, email, amount }: Partial<Order> = {},
    @Res({ passthrough: true }) response: Located,
  ): Promise<Accepted> {
    if (typeof id !== 'string' || !/^\w{1,50}$/.test(id)) throw new BadRequestException('id must be a word');
    if (typeof email !== 'string' || !email.includes('@'))
      throw new BadRequestException('email must be an address');
    if (typeof amount !== 'number' || amount <= 0) throw new BadRequestException('amount must be above 0');
    const once = this.flowrra.with({ taskId: `order-${id}` });
    return locate(response, await once.tasks(OrderTasks).fulfil({ id, email, amount }));
  }

  /** Put it behind a guard of yours. */
  @Post(':id/approval')
  @HttpCode(204)
  async approve(@Param('id') id: string, @Body() { approved, by }: Partial<Approval> = {}): Promise<void> {
    if (typeof approved !== 'boolean' || typeof by !== 'string')
      throw new BadRequestException('approved must be true or false, and by a name');
    await this.flowrra.signal(`order-${id}`, 'approval', { approved, by });
  }
}
