import { Injectable } from '@nestjs/common';

/** Stands in for a database of tenants. */
@Injectable()
export class Tenants {
  private readonly suspended = new Set<string>();

  suspend(name: string): void {
    this.suspended.add(name);
  }

  isSuspended(name: string | undefined): boolean {
    return name !== undefined && this.suspended.has(name);
  }
}
