export { FlowrraTesting, type RecordedStep, type SubmittedJob } from './flowrra-testing.js';
export { FlowrraTestingModule, type FlowrraTestingOptions } from './flowrra-testing.module.js';
export { type ConformanceCase, resultBackendConformance } from './result-backend-conformance.js';
export { TestClock } from './test-clock.js';
export type { TestMode } from './test-connection.js';
export {
  type ExpectedSchedule,
  type ExpectedStep,
  flowrraMatchers,
  type FlowrraMatchers,
} from './matchers.js';
