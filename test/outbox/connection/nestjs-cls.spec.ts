import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServices } from '../../../scripts/services/services.mjs';
import { compileFixtures, runFixture } from '../../support/fixtures.js';

interface Seen {
  readonly library: string;
  readonly isInTransaction: boolean | null;
  readonly xid: unknown;
}

/** What `txHost.tx` and the injected proxy of it are recognised as. */
interface Shown {
  readonly library: string;
  readonly outside: readonly Seen[];
  readonly inside: readonly Seen[];
  readonly joining: readonly Seen[];
}

const LIBRARIES = ['Drizzle (pg)', 'Drizzle (postgres.js)', 'Prisma', 'TypeORM', 'Kysely', 'Knex'];
const outbox = join(dirname(fileURLToPath(import.meta.url)), '..');

let shown: readonly Shown[];
beforeAll(async () => {
  const services = await startServices({ redis: false });
  try {
    const out = compileFixtures(outbox, 'outbox');
    // In a process of its own: nestjs-cls is CommonJS, which Jest cannot load with Nest 12.
    const program = join(out, 'connection/fixtures/transactional.js');
    const printed: unknown = await runFixture(
      program,
      [services.postgresUrl, ...LIBRARIES],
      ['--no-warnings'],
    );
    shown = printed as readonly Shown[];
  } finally {
    await services.stop();
  }
});

describe.each(LIBRARIES)('@Transactional() over %s', (library) => {
  const seen = (): Shown => shown.find((entry) => entry.library === library) as Shown;

  it('gives its transaction inside', () => {
    const { inside } = seen();
    expect(inside).toHaveLength(2);
    for (const entry of inside) expect(entry).toMatchObject({ library, isInTransaction: true });
    expect(new Set(inside.map(({ xid }) => xid)).size).toBe(1);
  });

  it('gives the transaction that a method joins', () => {
    const { joining } = seen();
    expect(joining).toHaveLength(4);
    for (const entry of joining) expect(entry).toMatchObject({ library, isInTransaction: true });
    expect(new Set(joining.map(({ xid }) => xid)).size).toBe(1);
  });

  it('gives the database outside', () => {
    const { outside } = seen();
    expect(outside).toHaveLength(2);
    for (const entry of outside) expect(entry).toMatchObject({ library, isInTransaction: false });
    expect(new Set(outside.map(({ xid }) => xid)).size).toBe(2);
  });
});
