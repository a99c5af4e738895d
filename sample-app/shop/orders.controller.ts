import { BadRequestException, Body, Controller, Get, NotFoundException, Param, Post } from '@nestjs/common';
import type { Order, Payment } from './entities.js';
import { type NewOrder, OrdersService, type Placed } from './orders.service.js';

@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  place(@Body() body: Partial<NewOrder> | undefined): Promise<Placed> {
    const { email, item, quantity } = body ?? {};
    if (typeof email !== 'string' || typeof item !== 'string')
      throw new BadRequestException('email and item must be texts');
    if (!Number.isInteger(quantity) || (quantity as number) < 1)
      throw new BadRequestException('quantity must be a whole number from 1');
    return this.orders.place({ email, item, quantity: quantity as number });
  }

  @Get(':id')
  async find(@Param('id') id: string): Promise<{ order: Order; payments: Payment[] }> {
    const { order, payments } = await this.orders.find(id);
    if (order === null) throw new NotFoundException();
    return { order, payments };
  }
}
