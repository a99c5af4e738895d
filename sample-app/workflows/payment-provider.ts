import { Injectable } from '@nestjs/common';

/** Stands in for a payment provider that accepts idempotency keys. */
@Injectable()
export class PaymentProvider {
  readonly charges = new Map<string, { amount: number; isRefunded: boolean }>();

  async charge(amount: number, key: string): Promise<string> {
    if (!this.charges.has(key)) this.charges.set(key, { amount, isRefunded: false });
    return key;
  }

  /** The same charge is refunded once. */
  async refund(charge: string, _key: string): Promise<void> {
    const found = this.charges.get(charge);
    if (found !== undefined) found.isRefunded = true;
  }
}
