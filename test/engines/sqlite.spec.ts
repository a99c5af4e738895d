import { describeEngine } from '../conformance/engine-conformance.js';
import { DRIVER, sqliteEngine, tempFile } from '../support/sqlite.js';

describeEngine({
  folder: 'sqlite',
  create: (storage) => sqliteEngine({ file: tempFile(storage) }),
  clock: 'virtual',
  cannot: [],
  elsewhere: (storage) => ({
    from: 'flowrra/sqlite',
    create: 'sqlite',
    options: { file: tempFile(storage), driver: DRIVER },
  }),
});
