/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // Much of the time is spent waiting for servers and other processes.
  maxWorkers: 2,
  roots: ['<rootDir>/test', '<rootDir>/sample-app'],
  testMatch: ['**/*.spec.ts'],
  // Ends a test that hangs. No test relies on it: on a busy machine a test may take minutes.
  testTimeout: 600_000,
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^flowrra$': '<rootDir>/lib/index.ts',
    '^flowrra/bullmq$': '<rootDir>/lib/engine/bullmq/index.ts',
    '^flowrra/current-task$': '<rootDir>/lib/current-task.ts',
    '^flowrra/engine$': '<rootDir>/lib/engine/index.ts',
    '^flowrra/health$': '<rootDir>/lib/health/index.ts',
    '^flowrra/outbox$': '<rootDir>/lib/outbox/index.ts',
    '^flowrra/sqlite$': '<rootDir>/lib/engine/sqlite/index.ts',
    '^flowrra/telemetry$': '<rootDir>/lib/telemetry/index.ts',
    '^flowrra/testing$': '<rootDir>/lib/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': ['ts-jest', { useESM: true, tsconfig: 'tsconfig.json' }],
  },
};
