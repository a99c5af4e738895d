import { Injectable } from '@nestjs/common';

/** Stands in for a table of prices. */
@Injectable()
export class Prices {
  readonly bySku = new Map<string, number>();

  async set(sku: string, price: number): Promise<void> {
    this.bySku.set(sku, price);
  }
}
