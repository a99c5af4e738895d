import * as flowrra from '../../lib/index.js';
import { everything, textOf } from './documents.js';

const scripts = Object.keys((JSON.parse(textOf('package.json')) as { scripts: object }).scripts);

/** Formatting may differ; words may not. */
const squeeze = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

const snippets = [...everything.matchAll(/```ts\n\/\/ (\S+?)(?:#(\S+))?\n(.*?)```/gs)].map(
  ([, file, region, code]) => ({
    file: file as string,
    region,
    code: squeeze(code as string),
  }),
);

it('names a file for every snippet of TypeScript', () => {
  expect(snippets.length).toBe([...everything.matchAll(/```ts\n/g)].length);
  expect(snippets.length).toBeGreaterThan(8);
});

it.each(snippets)('shows $file as it is', ({ file, region, code }) => {
  const source = textOf(file);
  const part =
    region === undefined ? source : (source.split(`#region ${region}\n`)[1]?.split('#endregion')[0] ?? '');
  expect(code).not.toBe('');
  expect(squeeze(part)).toContain(code);
});

it('shows the line for Jest that the check of the packed library proves', () => {
  const [, line] = /```js\n(transformIgnorePatterns[^\n]*)\n```/.exec(everything) ?? [];
  expect(line).toBeDefined();
  expect(textOf('scripts/pack-check/sources.mjs')).toContain(line);
});

it.each(['jest', 'vitest'])(
  'shows the types for %s that the check of the packed library proves',
  (runner) => {
    const line = {
      jest: 'declare global { namespace jest { interface Matchers<R> extends FlowrraMatchers<R> {} } }',
      vitest: "declare module 'vitest' { interface Matchers<T> extends FlowrraMatchers<T> {} }",
    }[runner] as string;
    expect(everything).toContain(line);
    expect(squeeze(textOf('scripts/pack-check/sources.mjs'))).toContain(line);
  },
);

it('keeps the README at 400 lines or fewer', () => {
  expect(textOf('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(400);
});

it('names commands that exist', () => {
  const named = [...everything.matchAll(/npm (?:run )?([a-z:]+)/g)]
    .map(([, name]) => name as string)
    .filter((name) => !['ci', 'install'].includes(name));
  expect(named).toEqual(expect.arrayContaining(['test', 'start', 'demo', 'bench']));
  for (const name of named) expect(scripts).toContain(name);
});

it('lists every error with its code, and no other', () => {
  const rows = [...everything.matchAll(/^\| `(\w+Error)` \| `(FLOWRRA_\w+)` \|/gm)].map(([, name, code]) => [
    name,
    code,
  ]);
  const errors = Object.entries(flowrra)
    .filter(([name]) => name.endsWith('Error') && name !== 'FlowrraError')
    .map(([name, type]) => [name, codeOf(type as never)]);
  expect(rows.sort()).toEqual(errors.sort());
});

/** An error's code, whatever its constructor asks for. */
function codeOf(type: new (...args: unknown[]) => { code: string }): string {
  return new type('1s', 'a problem').code;
}
