// Imports point one way: the face, then core, then interfaces. Prints every import that does not.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const lib = resolve(dirname(fileURLToPath(import.meta.url)), '../lib');
const files = readdirSync(lib, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.ts'));

/** What a file must not import, and why. `from` and `to` are paths below lib. */
const RULES = [
  { from: /./, to: /^index\.ts$/, why: 'nothing inside lib imports its own index' },
  {
    from: /^(?!flowrra\.|index\.|(health|telemetry|testing)\/)/,
    to: /^flowrra\./,
    why: 'only the face imports the face',
  },
  {
    from: /^core\//,
    to: /^engine\/(?!engine\.interface|job-control\.interface|maybe-promise)/,
    why: 'core imports no engine',
  },
  { from: /^core\//, to: /^(discovery|decorators)\//, why: 'core does not know how tasks are found' },
  {
    from: /^engine\/embedded\//,
    to: /^engine\/(?!embedded\/|[^/]+$)/,
    why: 'the embedded engine knows no store',
  },
  { from: /^options\//, to: /^(discovery|runner)\//, why: 'options know nothing of what uses them' },
  { from: /^results\//, to: /^(discovery|decorators|runner)\//, why: 'backends import interfaces and core' },
];

const problems = [];
for (const file of files) {
  for (const [, specifier] of readFileSync(join(lib, file), 'utf8').matchAll(
    /(?:from|import\()\s*'(\.[^']+)'/g,
  )) {
    const target = relative(lib, resolve(lib, dirname(file), specifier)).replace(/\.js$/, '.ts');
    const [engine] = /^engine\/[^/]+(?=\/)/.exec(file) ?? [];
    const [other] = /^engine\/[^/]+(?=\/)/.exec(target) ?? [];
    if (engine && other && engine !== other && other !== 'engine/embedded') {
      problems.push(`${file} -> ${target}: no engine imports another`);
    }
    for (const { from, to, why } of RULES)
      if (from.test(file) && to.test(target)) problems.push(`${file} -> ${target}: ${why}`);
  }
}
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
console.log(`${files.length} files: imports point one way`);
