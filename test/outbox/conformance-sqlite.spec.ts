import { outboxCases } from './conformance.cases.js';
import { LIBRARIES } from './support/libraries.js';

const libraries = LIBRARIES.filter(({ dialect }) => dialect === 'sqlite');

describe.each(libraries)('the outbox by $library on $dialect', (library) => {
  outboxCases({ library, engine: () => 'memory:' });
});
