import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures, runFixture } from '../support/fixtures.js';

const out = compileFixtures(
  join(dirname(fileURLToPath(import.meta.url)), 'surroundings'),
  'threads-surroundings',
);

it("what a thread submits belongs to its own job's tenant and trace, and to no other job's", async () => {
  expect(await runFixture(join(out, 'app.js'))).toEqual({
    first: { tenant: 'ada', sameTrace: true },
    second: { tenant: 'bob', sameTrace: true },
    lingers: null,
    wakes: { tenant: 'dee', sameTrace: true },
    // Its job is over, so there is nothing left that it could belong to.
    lingering: null,
  });
});
