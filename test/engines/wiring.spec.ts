import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');

/** What several engines share is no engine. */
const SHARED = new Set(['embedded']);

/** Engines that are no part of the library, below `test`. */
const THIRD_PARTY = ['third-party'];

it('every engine runs the conformance suite', () => {
  const engines = readdirSync(join(root, 'lib/engine'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !SHARED.has(entry.name))
    .map((entry) => entry.name);
  const specs = readdirSync(here)
    .filter((file) => file.endsWith('.spec.ts') && file !== 'wiring.spec.ts')
    .map((file) => readFileSync(join(here, file), 'utf8'))
    .filter((source) => /describeEngine(On)?\(/.test(source));
  const wired = specs.flatMap((source) =>
    [...source.matchAll(/folder: '([^']+)'/g)].map(([, folder]) => folder),
  );
  expect(engines.length).toBeGreaterThan(0);
  expect([...new Set(wired)].sort()).toEqual([...engines, ...THIRD_PARTY].sort());
});

it('every group of cases is part of the suite', () => {
  const suite = readFileSync(join(root, 'test/conformance/engine-conformance.ts'), 'utf8');
  const groups = readdirSync(join(root, 'test/conformance')).filter((file) => file.endsWith('.cases.ts'));
  expect(groups.length).toBeGreaterThan(0);
  for (const file of groups) {
    const source = readFileSync(join(root, 'test/conformance', file), 'utf8');
    const name = /export function (\w+)\(/.exec(source)?.[1] ?? file;
    expect(suite).toContain(`=> ${name}(beds`);
  }
});
