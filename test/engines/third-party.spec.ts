import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from 'flowrra';
import { describeEngine } from '../conformance/engine-conformance.js';
import { DirectoryEngine } from '../third-party/directory-engine.js';
import { embeddedDirectory } from '../third-party/directory-store.js';

const folder = mkdtempSync(join(tmpdir(), 'flowrra-third-party-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ways: [string, (path: string) => Engine][] = [
  ['an Engine', (path) => new DirectoryEngine(path)],
  ['a JobStore', embeddedDirectory],
];

describe.each(ways)('written as %s:', (way, create) => {
  // #region conformance
  describeEngine({
    folder: 'third-party',
    create: (storage) => create(join(folder, way, storage)),
    clock: 'virtual',
    cannot: ['share jobs', 'limit the fleet', 'schedule', 'journal'],
  });
  // #endregion
});
