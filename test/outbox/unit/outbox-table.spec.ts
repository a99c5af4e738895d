import type { KnownConnection, SqlRow, SqlValue } from '../../../lib/outbox/connection/sql-connection.js';
import { OutboxDatabase } from '../../../lib/outbox/outbox-database.js';
import { OutboxTable } from '../../../lib/outbox/outbox-table.js';
import { statementsOf } from '../../../lib/outbox/sql/statements.js';
import { Gate } from '../../support/gate.js';
import { ManualClock } from '../../support/manual-clock.js';

it('releases the jobs of a claim that the database answers too late', async () => {
  const clock = new ManualClock();
  const answered = new Gate();
  const released = new Gate();
  const statements = statementsOf('postgres', { name: 'flowrra', schema: undefined });
  const seen: (readonly SqlValue[])[] = [];
  const connection: KnownConnection = {
    dialect: 'postgres',
    library: 'fake',
    sync: false,
    isInTransaction: () => false,
    async run(sql, values): Promise<readonly SqlRow[]> {
      if (sql === statements.claimFree) {
        await answered.passed;
        return [{ seq: '7' }, { seq: '9' }];
      }
      expect(sql).toBe(statements.release(2));
      seen.push(values);
      released.open();
      return [];
    },
  };
  const table = new OutboxTable(new OutboxDatabase(connection, clock), statements);
  const claim = expect(table.claim('c', 30_000, 5)).rejects.toThrow('no answer within 10000 ms');
  await clock.advance(10_000);
  await claim;
  answered.open();
  await released.passed;
  expect(seen).toEqual([[0, 'c', 7, 9]]);
});
