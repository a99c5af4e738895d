import { describeEngine } from '../conformance/engine-conformance.js';
import { sqliteEngine, tempFile } from '../support/sqlite.js';

describeEngine({
  folder: 'sqlite',
  create: (storage) => sqliteEngine({ file: tempFile(storage) }),
  clock: 'virtual',
  cannot: [],
});
