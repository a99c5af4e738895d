import { outbox } from '../../lib/outbox/index.js';
import { DirectBed, Undo } from './support/direct-bed.js';
import { type Handle, LIBRARIES } from './support/libraries.js';

const bed = await DirectBed.open();
afterAll(() => bed.close());

describe.each(LIBRARIES.filter(({ dialect }) => dialect === 'postgres'))('$library', ({ open }) => {
  let handle: Handle;
  beforeAll(async () => {
    handle = await open(bed.url);
  });
  afterAll(() => handle.close());

  const start = () => bed.start({ outbox: outbox({ database: handle.database as object, direct: true }) });
  const many = (name: string) => Array.from({ length: 30 }, (_, n): [string] => [`${name} ${n}`]);

  it('jobs exist after the commit, and after no rollback', async () => {
    const { flowrra, work, storage } = await start();
    const within = (tx: unknown) => flowrra.within(tx as object);
    const undone = handle.transaction(async (tx) => {
      await within(tx).submit(work.note, 'undone');
      await within(tx).submitMany(work.note, many('undone'));
      throw new Undo();
    });
    await expect(undone).rejects.toThrow(Undo);
    expect(await bed.rows(storage)).toEqual([]);
    const ids = await handle.transaction(async (tx) => {
      const inner = handle.nested(tx, async (nested) => {
        await within(nested).submit(work.note, 'nested');
        throw new Undo();
      });
      await expect(inner).rejects.toThrow(Undo);
      return [
        await within(tx).submit(work.note, `it's "a" ? $1 :b {c}`),
        await within(tx)
          .with({ delay: '60d', priority: 5, tags: ['order:1'] })
          .submit(work.note, 'later'),
        ...(await within(tx).submitMany(work.note, many('kept'))),
      ];
    });
    const [first, later, ...others] = ids as [string, string, ...string[]];
    expect(await flowrra.waitForResult(first)).toMatchObject({ result: `ran it's "a" ? $1 :b {c}` });
    await Promise.all(others.map((taskId) => flowrra.waitForResult(taskId)));
    expect(work.ran).toHaveLength(31);
    expect(await flowrra.jobs.get(later)).toMatchObject({
      status: 'pending',
      priority: 5,
      tags: ['order:1'],
    });
    expect(await bed.rows(storage)).toHaveLength(32);
  });
});
