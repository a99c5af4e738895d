import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';

/** What was logged since the beginning of the test. */
export interface Logged {
  readonly warn: string[];
  readonly error: string[];
}

/** Keeps what the tests of a spec log, instead of writing it. */
export function withoutLogs(): Logged {
  const logged: Logged = { warn: [], error: [] };
  beforeEach(() => {
    for (const level of ['warn', 'error'] as const) {
      logged[level].length = 0;
      jest.spyOn(Logger.prototype, level).mockImplementation((line) => void logged[level].push(String(line)));
    }
  });
  afterEach(() => jest.restoreAllMocks());
  return logged;
}
