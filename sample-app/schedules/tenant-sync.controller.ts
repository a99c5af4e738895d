import { Controller, Delete, HttpCode, NotFoundException, Param, Put } from '@nestjs/common';
import { SyncTasks } from './sync.tasks.js';

@Controller('tenants/:tenant/sync')
export class TenantSyncController {
  constructor(private readonly sync: SyncTasks) {}

  @Put()
  @HttpCode(204)
  follow(@Param('tenant') tenant: string): Promise<void> {
    return this.sync.follow(tenant);
  }

  @Delete()
  @HttpCode(204)
  async unfollow(@Param('tenant') tenant: string): Promise<void> {
    if (!(await this.sync.unfollow(tenant))) throw new NotFoundException(`${tenant} is not synchronised`);
  }
}
