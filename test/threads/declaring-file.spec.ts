import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/core';
import ts from 'typescript';
import { type Compile, compileFixtures, runFixture, withTsc } from '../support/fixtures.js';

const sources = join(dirname(fileURLToPath(import.meta.url)), 'declaring');
const cjs = { module: ts.ModuleKind.CommonJS, esModuleInterop: true };

function withSwc(module: 'es6' | 'commonjs', externalHelpers: boolean): Compile {
  return (source, filename) =>
    transformSync(source, {
      filename,
      swcrc: false,
      module: { type: module },
      jsc: {
        target: 'es2022',
        externalHelpers,
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
      },
    }).code;
}

const COMPILERS: readonly [string, Compile, 'module' | 'commonjs', string[]?][] = [
  ['tsc to ES modules', withTsc(), 'module'],
  ['tsc to CommonJS', withTsc(cjs), 'commonjs'],
  ['tsc with importHelpers', withTsc({ importHelpers: true }), 'module'],
  ['tsc with importHelpers to CommonJS', withTsc({ ...cjs, importHelpers: true }), 'commonjs'],
  [
    'tsc with source maps',
    withTsc({ inlineSourceMap: true, inlineSources: true }),
    'module',
    ['--enable-source-maps'],
  ],
  ['SWC to ES modules', withSwc('es6', false), 'module'],
  ['SWC to CommonJS', withSwc('commonjs', false), 'commonjs'],
  ['SWC with external helpers', withSwc('es6', true), 'module'],
];

it.each(COMPILERS)(
  'a thread finds the class, plain and under composed decorators: %s',
  async (name, compile, type, nodeArgs = []) => {
    const out = compileFixtures(sources, `declaring-${name.replaceAll(' ', '-')}`, compile, type);
    expect(await runFixture(join(out, 'main.js'), [], nodeArgs)).toEqual([
      'plain task',
      'composed task',
      'wrapped task',
    ]);
  },
);
