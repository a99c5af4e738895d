export { type ConformanceCase, resultBackendConformance } from './result-backend-conformance.js';
