import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resultBackendConformance } from 'flowrra/testing';
import { FileBackend } from './file-backend.js';

const folder = mkdtempSync(join(tmpdir(), 'results-'));
afterAll(() => rmSync(folder, { recursive: true }));

for (const { name, run } of resultBackendConformance(() => new FileBackend(folder))) it(name, run);
