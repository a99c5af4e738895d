import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeEngine } from '../conformance/engine-conformance.js';
import { DirectoryEngine } from '../third-party/directory-engine.js';

const folder = mkdtempSync(join(tmpdir(), 'flowrra-third-party-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeEngine({
  folder: 'third-party',
  create: (storage) => new DirectoryEngine(join(folder, storage)),
  clock: 'virtual',
  cannot: ['share jobs', 'limit the fleet'],
});
