import { join } from 'node:path';
import { compileFixtures, runFixture } from '../support/fixtures.js';
import { root } from './documents.js';

it('runs the CPU-bound task that the docs show in a thread, with its dependency', async () => {
  const folder = compileFixtures(join(root, 'sample-app/ranking'), 'readme-ranking');
  expect(await runFixture(join(folder, 'main.js'))).toEqual({ result: ['shared', 'read'], error: null });
});
