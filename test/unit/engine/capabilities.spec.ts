import { checkCapabilities, checkConnected } from '../../../lib/engine/capabilities.js';
import type { Capability, Engine, EngineHost } from '../../../lib/engine/engine.js';
import { memoryEngine } from '../../../lib/engine/memory/memory-engine.js';
import { queueOf } from '../../support/jobs.js';
import { ManualClock } from '../../support/manual-clock.js';

function engineOf(...supports: Capability[]): Engine {
  return { name: 'own', durable: true, supports: new Set(supports), connect: () => ({}) as never };
}

it.each([
  [{ role: 'producer', queues: [] }, /'own' does not support role: 'producer'/],
  [{ role: 'all', queues: [queueOf('q', { fleetConcurrency: 2 })] }, /fleetConcurrency of queue 'q'/],
  [
    { role: 'all', queues: [queueOf('q', { fleetRateLimit: { max: 1, per: 1 } })] },
    /fleetRateLimit of queue 'q'/,
  ],
] as const)('an engine that does not support what is in use is named with it: %j', (use, message) => {
  expect(() => checkCapabilities(engineOf(), use)).toThrow(message);
  expect(() => checkCapabilities(engineOf('shared', 'fleetLimits'), use)).not.toThrow();
});

describe('what connect() returns', () => {
  const host: EngineHost = {
    queues: [],
    clock: new ManualClock(),
    retention: { resultTtl: 1_000, maxResults: 10 },
    backPressure: { maxPending: Infinity, whenFull: 'wait' },
    closing: new AbortController().signal,
    run() {
      throw new Error('nothing runs');
    },
    notify: () => undefined,
  };

  it.each(['enqueue', 'enqueueMany', 'pendingCount', 'consume', 'drain', 'close'])(
    'must have %s()',
    async (name) => {
      const engine = memoryEngine();
      const whole = await engine.connect(host);
      expect(() => checkConnected(engine, whole)).not.toThrow();
      const without = Object.create(whole, { [name]: { value: undefined } });
      expect(() => checkConnected(engine, without)).toThrow(`engine: the method ${name}() is missing`);
    },
  );

  it.each([
    ['results', 'waitFor'],
    ['control', 'counts'],
  ] as const)('must have %s.%s() only if the engine supports it', async (owner, method) => {
    const whole = await memoryEngine().connect(host);
    const part = Object.create(whole[owner], { [method]: { value: undefined } });
    const without = Object.create(whole, { [owner]: { value: part } });
    expect(() => checkConnected(engineOf(owner), without)).toThrow(
      `the method ${owner}.${method}() is missing`,
    );
    expect(() => checkConnected(engineOf(), without)).not.toThrow();
  });
});
