import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures, runFixture } from '../support/fixtures.js';
import { tempFile } from '../support/sqlite.js';

/** What an application with nestjs-cls shows, in a process of its own: it is CommonJS, which Jest cannot load with Nest 12. */
interface Shown {
  readonly requests: string[];
  readonly intercepted: string[];
  readonly denied: { readonly status: string; readonly error: string };
  readonly delivered: string;
  readonly flaky: { readonly result: string; readonly retries: number };
  readonly nothing: string;
  readonly listeners: boolean[];
}

const fixtures = join(dirname(fileURLToPath(import.meta.url)), 'fixtures');
let shown: Record<'memory' | 'sqlite', Shown> & { through: string[] };
beforeAll(async () => {
  const out = compileFixtures(fixtures, 'cls');
  const printed: unknown = await runFixture(join(out, 'cls.js'), [tempFile()], ['--no-warnings']);
  shown = printed as typeof shown;
}, 60_000);

describe.each(['memory', 'sqlite'] as const)('nestjs-cls on %s', (engine) => {
  it('restores the tenant and the user of each request in the code of its task', () => {
    expect(shown[engine].requests).toEqual([
      'first: ada of engines',
      'second: bob of tables',
      'third: cy of engines',
    ]);
  });

  it('and in its guards and interceptors', () => {
    expect(shown[engine].intercepted).toEqual(['ada of engines', 'bob of tables', 'cy of engines']);
    expect(shown[engine].denied).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/guard/) as string,
    });
  });

  it('on to what the task submits, and afresh to each attempt', () => {
    expect(shown[engine].delivered).toBe("bill: ada's postman of engines");
    expect(shown[engine].flaky).toMatchObject({ result: 'bob of tables', retries: 1 });
  });

  it('nothing where there is nothing to take, and no context of any job to listeners', () => {
    expect(shown[engine].nothing).toBe('bill: undefined of undefined');
    expect(shown[engine].listeners.length).toBeGreaterThan(0);
    expect(shown[engine].listeners).not.toContain(true);
  });
});

it('they lie in the file with the job, until another process runs it', () => {
  expect(shown.through).toEqual(['first: ada of engines', 'second: bob of tables']);
});
