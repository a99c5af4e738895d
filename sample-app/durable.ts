import { FlowrraModule } from 'flowrra';
import { sqlite } from 'flowrra/sqlite';

export const durable = FlowrraModule.forRoot({
  engine: sqlite({ file: './tasks.db', lease: '1m' }),
});
