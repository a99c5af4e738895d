// sample-app/schedules/sync.tasks.ts
import { Injectable } from '@nestjs/common';
import { FlowrraService, Task } from 'flowrra';

@Injectable()
export class SyncTasks {
  readonly synced: string[] = [];

  constructor(private readonly flowrra: FlowrraService) {}

  @Task()
  async tenant(name: string): Promise<void> {
    this.synced.push(name); // in place of a call to another system
  }

  /** Each tenant has a schedule of its own. The same one again changes nothing. */
  async follow(tenant: string): Promise<void> {
    const times = { every: '15m', jitter: '1m', overlap: 'skip' } as const;
    await this.flowrra.schedules.set(`sync:${tenant}`, times, this.tenant, tenant);
  }

  async unfollow(tenant: string): Promise<boolean> {
    return this.flowrra.schedules.remove(`sync:${tenant}`);
  }
}
