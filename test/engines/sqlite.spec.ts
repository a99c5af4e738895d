import { describeEngine } from '../conformance/engine-conformance.js';
import { sqliteEngine } from '../support/sqlite.js';

describeEngine({
  folder: 'sqlite',
  create: () => sqliteEngine(),
  clock: 'virtual',
  cannot: [],
});
