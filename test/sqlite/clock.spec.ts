import { Beds } from '../conformance/engine-under-test.js';
import { sqliteEngine, tempFile } from '../support/sqlite.js';

const HOUR = 3_600_000;
/** Milliseconds after which a process has detected that the clock was set: a fifth of the default lease, and a reserve. */
const DETECTED = 6_010;

const beds = new Beds({
  folder: 'sqlite',
  create: (storage) => sqliteEngine({ file: tempFile(`clock-${storage}`) }),
  clock: 'virtual',
  cannot: [],
});
afterEach(() => beds.closeAll());

async function delayed(delay: number) {
  const { flowrra, clock, advance } = await beds.start([]);
  flowrra.register({ name: 'echo' }, (value: unknown) => value);
  const taskId = await flowrra.with({ delay }).submit('echo', 1);
  await advance(0);
  return { clock, advance, status: async () => (await flowrra.getResult(taskId))?.status };
}

describe('a delayed job becomes due by the new time when the clock is set', () => {
  it('forward, beyond its due time', async () => {
    const { clock, advance, status } = await delayed(2 * HOUR);
    clock.jump(3 * HOUR);
    await advance(DETECTED);
    expect(await status()).toBe('success');
  });

  it('forward, not as far as its due time', async () => {
    const { clock, advance, status } = await delayed(2 * HOUR);
    clock.jump(HOUR);
    await advance(HOUR - 1);
    expect(await status()).toBe('pending');
    await advance(1);
    expect(await status()).toBe('success');
  });

  it('back', async () => {
    const { clock, advance, status } = await delayed(HOUR);
    clock.jump(-HOUR);
    await advance(2 * HOUR - 1);
    expect(await status()).toBe('pending');
    await advance(1);
    expect(await status()).toBe('success');
  });
});
