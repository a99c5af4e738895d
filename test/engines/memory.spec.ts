import { describeEngine } from '../conformance/engine-conformance.js';

describeEngine({
  folder: 'memory',
  create: () => 'memory:',
  clock: 'virtual',
  cannot: ['keep jobs', 'share jobs'],
});
