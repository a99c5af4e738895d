import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFixtures, runFixture } from '../support/fixtures.js';

const out = compileFixtures(join(dirname(fileURLToPath(import.meta.url)), 'wrong'), 'threads-wrong');

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

/** A configuration error whose message has all of that. */
const rejected = (...parts: string[]) => ({
  code: 'FLOWRRA_CONFIG',
  message: expect.stringMatching(new RegExp(parts.map((part) => `(?=[^]*${escaped(part)})`).join(''))),
});

/** A job that failed at once, with a configuration error whose message has all of that. */
const failedAtOnce = (...parts: string[]) => {
  const { code, message } = rejected(...parts);
  return expect.objectContaining({ retries: 0, code, error: message });
};

describe('a configuration that no thread can run', () => {
  let starts: Record<string, unknown>;
  beforeAll(async () => {
    starts = await runFixture(join(out, 'starts.js'));
  });

  it.each([
    ['missing', ['cpu.module: there is no file file:///', 'nowhere.js', "cpu: { mode: 'inline' }"]],
    ['noExtension', ['cpu.module: there is no file', 'Did you mean /', 'cpu.module.js?']],
    ['folder', ['cpu.module: there is no file']],
    ['elsewhere', ['cpu.module: there is no file file://elsewhere/']],
    ['entry', ['cpu.module:', "the application's entry file"]],
    ['parameters', ["CPU-bound task 'Priced.gross'", 'a module that provides Priced', 'join(__dirname']],
    ['inheritedParameters', ["'Subpriced.gross': Subpriced has injected dependencies"]],
    ['properties', ["'ByProperty.gross': ByProperty has injected dependencies"]],
    ['inheritedTask', ["'Inheriting.double': Inheriting inherits the task", 'Override double in Inheriting']],
    ['namedFile', ["CPU-bound task 'NamedFile.work' file: there is no file", 'nowhere.js']],
    [
      'namedEntry',
      ["CPU-bound task 'NamedEntry.work'", 'entry file', 'build a second file', 'join(__dirname'],
    ],
    ['registeredFile', ["register('work') file: there is no file", 'nowhere.js']],
    ['registeredEntry', ["register('work') file:", "the application's entry file"]],
  ])('fails the start: %s', (name, parts) => {
    expect(starts[name]).toEqual(rejected(...parts));
  });

  it.each(['inline', 'producer'])('does not matter where there are no threads: %s', (name) => {
    expect(starts[name]).toBeNull();
  });
});

describe('a configuration that only a thread can check', () => {
  let jobs: Record<string, unknown>;
  beforeAll(async () => {
    jobs = await runFixture(join(out, 'jobs.js'));
  });

  it('a class without dependencies needs no module, and is not disturbed by one', () => {
    expect(jobs['standsAlone']).toEqual(
      [200, 200, 300, 500].map((result) => expect.objectContaining({ retries: 0, result })),
    );
    expect(jobs['besideModule']).toEqual([
      expect.objectContaining({ retries: 0, result: 200 }),
      expect.objectContaining({ retries: 0, result: 120 }),
      failedAtOnce("provides no task 'Subpriced.gross'", 'Add its class to the providers'),
    ]);
  });

  it.each([
    ['noDefault', [['must be a Nest module'], ['must be a Nest module']]],
    ['broken', [['A thread cannot import file:///', 'DATABASE_URL is not set'], ['DATABASE_URL is not set']]],
    ['unresolved', [['cannot start', "Nest can't resolve dependencies of the Priced"]]],
    ['noTarget', [["exports no function 'work'"]]],
    ['typescript', [['A thread cannot import', 'typed.ts', 'give the compiled file']]],
    ['gone', [['A thread cannot import', 'gone.js', 'Cannot find module']]],
  ])('fails its jobs without a retry: %s', (name, parts) => {
    expect(jobs[name]).toEqual(parts.map((each) => failedAtOnce(...each)));
  });

  it('a module that could not start at first is started anew for the retry', () => {
    expect(jobs['late']).toEqual([expect.objectContaining({ retries: 1, result: 120 })]);
  });
});
