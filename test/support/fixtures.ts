import { type ChildProcess, execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Inside the package, so that `flowrra` and every dependency resolve as they do for users. */
const SCRATCH = join(root, '.tmp/fixtures');

export type Compile = (source: string, fileName: string) => string;

/** As tsc does it; the build of the library that `npm test` has made is what fixtures import. */
export function withTsc(options: ts.CompilerOptions = {}): Compile {
  return (source, fileName) =>
    ts.transpileModule(source, {
      fileName,
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        useDefineForClassFields: false,
        ...options,
      },
    }).outputText;
}

/** Compiles a folder of TypeScript files, and returns where their JavaScript lies. */
export function compileFixtures(
  folder: string,
  name: string,
  compile: Compile = withTsc(),
  type: 'module' | 'commonjs' = 'module',
): string {
  const out = join(SCRATCH, name);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  // A package.json of its own ends the reach of the package's name, so it is linked like a dependency.
  const link = join(SCRATCH, 'node_modules/flowrra');
  mkdirSync(dirname(link), { recursive: true });
  if (!existsSync(link)) symlinkSync(root, link, 'junction');
  writeFileSync(join(out, 'package.json'), JSON.stringify({ type }));
  for (const file of readdirSync(folder, { recursive: true }).map(String)) {
    if (!file.endsWith('.ts') || file.endsWith('.d.ts')) continue;
    const target = join(out, file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, compile(readFileSync(join(folder, file), 'utf8'), join(folder, file)));
  }
  return out;
}

const running = new Set<ChildProcess>();

// A process that outlives its test is a leak: the test's time limit has failed the test.
afterEach(() => running.forEach((child) => child.kill('SIGKILL')));

/** Runs a program to its natural end. Resolves with its output. Rejects if it fails. */
export async function runProgram(program: string, args: readonly string[]): Promise<string> {
  const ending = promisify(execFile)(program, args, { cwd: root });
  running.add(ending.child);
  try {
    return (await ending).stdout;
  } finally {
    running.delete(ending.child);
  }
}

/** The last line of a program's output, which is JSON. */
export function lastLine(stdout: string): unknown {
  return JSON.parse(stdout.trim().split('\n').at(-1) as string);
}

/** Runs a file in a process of its own, to its natural end, and reads the last line it prints. */
export async function runFixture(
  file: string,
  args: readonly string[] = [],
  nodeArgs: readonly string[] = [],
): Promise<Record<string, never>> {
  return lastLine(await runProgram(process.execPath, [...nodeArgs, file, ...args])) as Record<string, never>;
}
