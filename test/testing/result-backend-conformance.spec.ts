import { jest } from '@jest/globals';
import { InMemoryBackend } from '../../lib/index.js';
import { resultBackendConformance } from '../../lib/testing/index.js';

describe('the in-memory backend', () => {
  for (const { name, run } of resultBackendConformance(() => new InMemoryBackend())) it(name, run);
});

class Silent extends InMemoryBackend {
  override waitFor(): Promise<never> {
    return new Promise(() => {});
  }
}

describe('a backend that never answers', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it.each(resultBackendConformance(() => new Silent()).filter(({ name }) => name.startsWith('waitFor')))(
    'does not meet the requirement: $name',
    async ({ name, run }) => {
      const running = run().catch((error: unknown) => error);
      await jest.advanceTimersByTimeAsync(4_000);
      expect(String(await running)).toContain(`within 4000 ms. This requirement is not met: ${name}.`);
    },
  );
});
