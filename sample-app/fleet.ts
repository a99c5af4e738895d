import { FlowrraModule } from 'flowrra';
import { bullmq } from 'flowrra/bullmq';

export const fleet = FlowrraModule.forRoot({
  engine: bullmq({
    connection: process.env['TASKS_URL'] ?? 'redis://localhost:6379',
    lease: '1m',
  }),
});
