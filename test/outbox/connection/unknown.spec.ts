import { connectionOf, recognise } from '../../../lib/outbox/connection/recognise.js';
import { FlowrraConfigError } from '../../../lib/job/errors.js';

const PLACE = 'flowrra.within()';

describe('a connection that the application describes', () => {
  it('is taken as it is', async () => {
    const ran: unknown[] = [];
    const own = {
      dialect: 'postgres',
      rows: [{ id: 1 }],
      async run(sql: string, values: readonly unknown[]) {
        ran.push([sql, values]);
        return this.rows;
      },
    };
    const known = connectionOf(own, PLACE);
    expect(known).toMatchObject({ dialect: 'postgres', library: 'SqlConnection', sync: false });
    expect(known.isInTransaction()).toBeNull();
    expect(known.listen).toBeUndefined();
    expect(await known.run('SELECT $1', ['a'])).toEqual([{ id: 1 }]);
    expect(ran).toEqual([['SELECT $1', ['a']]]);
  });

  it('may be synchronous', () => {
    const known = connectionOf({ dialect: 'sqlite', sync: true, run: () => [] }, PLACE);
    expect(known.sync).toBe(true);
    expect(known.run('SELECT 1', [])).toEqual([]);
  });

  it.each([
    [
      { dialect: 'postgresql', run: () => [] },
      `flowrra.within(): dialect 'postgresql' is not valid. Did you mean 'postgres'? Known: postgres, mysql, sqlite.`,
    ],
    [{ run: () => [] }, `flowrra.within(): dialect undefined is not valid. Known: postgres, mysql, sqlite.`],
    [
      { dialect: 'mysql', run: 'SELECT' },
      `flowrra.within(): run 'SELECT' is not valid. It must be a function: (sql, values) => the rows.`,
    ],
  ])('must have a known dialect and a function', (own, message) => {
    expect(() => connectionOf(own, PLACE)).toThrow(new FlowrraConfigError(message));
  });
});

describe('a value that is not recognised', () => {
  class Throwing {
    get query(): never {
      throw new Error('a getter that must not be seen');
    }
  }

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['postgres://localhost/app', `'postgres://localhost/app'`],
    [{}, 'an object'],
    [[], 'an array'],
    [() => {}, 'the function (anonymous)'],
    [{ query: () => {} }, 'an object'],
    [new Throwing(), 'an object'],
  ])('is named in the error: case %#', (value, shown) => {
    expect(recognise(value)).toBeNull();
    const check = (): unknown => connectionOf(value, PLACE);
    expect(check).toThrow(FlowrraConfigError);
    expect(check).toThrow(`flowrra.within(): ${shown} is neither a transaction nor a connection`);
    expect(check).toThrow(`{ dialect: 'postgres', run: (sql, values) => … }`);
    expect(check).toThrow('Prisma, TypeORM, MikroORM, Kysely, Drizzle, Knex, postgres.js');
  });

  it('may be a promise of one', () => {
    expect(() => connectionOf(Promise.resolve({}), PLACE)).toThrow('Await it first.');
  });

  it.each([
    ['a database of TypeORM', { createQueryRunner() {}, query() {}, options: { type: 'mssql' } }],
    ['a provider of Prisma', { $queryRawUnsafe() {}, $executeRawUnsafe() {}, _activeProvider: 'sqlserver' }],
  ])('is %s that has no supported dialect', (_what, value) => {
    expect(recognise(value)).toBeNull();
  });
});
