import { describeEngine } from '../conformance/engine-conformance.js';

describeEngine({
  folder: 'memory',
  create: () => 'memory:',
  clock: 'virtual',
  cannot: ['keeps jobs across processes'],
});
