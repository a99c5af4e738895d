import type { DynamicModule } from '@nestjs/common';
import { FlowrraModule, type FlowrraService } from 'flowrra';
import type { SyncTasks } from './sync.tasks.js';

/** Snippets about schedules of run time, and operations on schedules. */
export async function set(flowrra: FlowrraService, sync: SyncTasks): Promise<void> {
  // #region set
  await flowrra.schedules.set('sync:acme', { every: '15m' }, sync.tenant, 'acme');
  await flowrra.schedules.set(
    'sync:globex',
    { cron: '0 4 * * *', timezone: 'America/New_York', jitter: '10m' },
    'SyncTasks.tenant',
    'globex',
  );
  // #endregion
}

export async function operate({ schedules }: FlowrraService): Promise<unknown> {
  // #region operate
  await schedules.pause('sync:acme', { reason: 'their API is down', by: 'ada' });
  await schedules.resume('sync:acme');
  const taskId = await schedules.trigger('sync:acme'); // a job now; the next occurrence stays
  const next = await schedules.preview('sync:acme', 5); // the next 5 times
  const all = await schedules.list();
  const details = await schedules.get('sync:acme'); // with its last 20 occurrences
  await schedules.remove('sync:globex');
  // #endregion
  return taskId !== '' && next.length === 5 && all.length > 1 ? details : null;
}

export function overridden(env: { readonly DAILY?: string }): DynamicModule {
  return (
    // #region overrides
    FlowrraModule.forRoot({
      schedules: {
        'ReportTasks.daily': { cron: env.DAILY ?? '30 5 * * *', jitter: '1m' },
        'ReportTasks.removeOld': false,
      },
    })
    // #endregion
  );
}
