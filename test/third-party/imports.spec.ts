import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const manifest = JSON.parse(readFileSync(join(here, '../../package.json'), 'utf8')) as { exports: object };
const entries = Object.keys(manifest.exports).map((entry) => entry.replace(/^\./, 'flowrra'));
const files = readdirSync(here).filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'));

it.each(files)('%s imports only what a user of the package can import', (file) => {
  const imported = [...readFileSync(join(here, file), 'utf8').matchAll(/from '(.*)';$/gm)].map(
    ([, name]) => name as string,
  );
  const foreign = imported.filter(
    (name) => !entries.includes(name) && !/^(node:\w+|@nestjs\/common|\.\/[\w-]+\.js)$/.test(name),
  );
  expect(imported.length).toBeGreaterThan(0);
  expect(foreign).toEqual([]);
});
