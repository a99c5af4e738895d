import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures, runFixture } from '../../support/fixtures.js';

const out = compileFixtures(
  join(dirname(fileURLToPath(import.meta.url)), 'fixtures'),
  `outbox-threads-${process.pid}`,
);

it('code in a CPU thread submits in its transactions, and has blocks that take effect once', async () => {
  const answers = await runFixture(join(out, 'app.js'));
  expect(answers).toEqual({
    book: ['success', 1, null],
    place: null,
    echo: 'kept',
    left: 0,
    said: ['kept'],
  });
});
