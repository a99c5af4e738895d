import { realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { thisFile } from '../../job/call-sites.js';
import { FlowrraConfigError } from '../../job/errors.js';

/** The file that each thread starts with. */
export const THREAD_ENTRY = new URL('../../nest/thread/thread-entry.js', thisFile());

/** How to name the threads' module, in a form that each kind of project compiles. */
export const NAME_A_MODULE =
  "forRoot({ cpu: { module: join(__dirname, 'cpu.module.js') } }), or new URL('./cpu.module.js', import.meta.url) in ES modules";

const INLINE = "In tests that compile TypeScript as they run, set forRoot({ cpu: { mode: 'inline' } }).";
const TYPESCRIPT = /\.[cm]?tsx?$/;

/**
 * Refuses a file that a thread cannot import, or must not import. Looks at the file only: importing it
 * on the main thread could have side effects there.
 *
 * @param file A `file:` URL.
 * @param subject Names the option in the error.
 */
export function checkThreadFile(file: string, subject: string): void {
  refuseEntry(file, subject);
  const path = pathOf(file);
  if (path !== null && (isFile(path) || compiledOnTheFly(path))) return;
  const nearest = ['.js', '.mjs', '.cjs'].map((end) => `${path}${end}`).find(isFile);
  throw new FlowrraConfigError(
    `${subject}: there is no file ${file}. ${nearest === undefined ? '' : `Did you mean ${nearest}? `}` +
      'Give the absolute path of the compiled file. A bundler may replace __filename, __dirname and import.meta.url by paths of the source, or of the bundle: see docs/bundlers.md. ' +
      INLINE,
  );
}

/** Refuses the application's entry file: it would start the application again in the thread. */
export function refuseEntry(file: string, subject: string): void {
  if (!isEntry(file)) return;
  throw new FlowrraConfigError(
    `${subject}: ${file} is the application's entry file, and a thread that imports it would start the application again. ` +
      'Move the code of the threads into a file of its own. ' +
      `If a bundler joins all files, let it build a second file for the threads, and name that: ${NAME_A_MODULE}. See docs/bundlers.md.`,
  );
}

/** Threads need a file of this package, which a bundle does not hold. */
export function refuseBundledPackage(subject: string): void {
  if (TYPESCRIPT.test(thisFile()) || isFile(fileURLToPath(THREAD_ENTRY))) return;
  throw new FlowrraConfigError(
    `${subject}: the package flowrra is bundled into ${thisFile()}, so threads do not find its files. Leave it out of the bundle: by webpack-node-externals in webpack, by --packages=external in esbuild. See docs/bundlers.md.`,
  );
}

/** What to throw for a file that a thread could not import; what the system may do better next time stays as it is. */
export function importFailure(file: string, error: unknown): unknown {
  if (isPassing(error)) return error;
  const advice = TYPESCRIPT.test(file)
    ? ` It is TypeScript, which a thread does not compile: give the compiled file. In a bundle, import.meta.url may be the path of the source: see docs/bundlers.md. ${INLINE}`
    : '';
  return new FlowrraConfigError(`A thread cannot import ${file}: ${printedError(error)}${advice}`, {
    cause: error,
  });
}

/** A fault of the system that says nothing about the file itself, such as too many open files. */
function isPassing(error: unknown): boolean {
  const { syscall, code } = (error ?? {}) as NodeJS.ErrnoException;
  return typeof syscall === 'string' && !OF_THE_FILE.has(code ?? '');
}

const OF_THE_FILE: ReadonlySet<string> = new Set([
  'EACCES',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOTDIR',
  'EPERM',
]);

function printedError(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Whether a loader that the process was started with may make the file of the TypeScript beside it. */
function compiledOnTheFly(path: string): boolean {
  const flags = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ');
  if (!/(?:^|\s)(?:-r|--require|--import|--loader|--experimental-loader)\b/.test(flags)) return false;
  return ['ts', 'tsx'].some((end) => isFile(path.replace(/jsx?$/, end)));
}

/** Whether the process was started with that file. */
export function isEntry(file: string): boolean {
  const entry = process.argv[1];
  const path = pathOf(file);
  if (entry === undefined || path === null) return false;
  // `node dist/main` names no extension, and `node dist` no file.
  const names = ['', '.js', '.mjs', '.cjs'].map((end) => `${entry}${end}`);
  return [...names, join(entry, 'index.js')].some((candidate) => real(candidate) === real(path));
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** `null` for a URL that names no file of this machine. */
function pathOf(file: string): string | null {
  try {
    return fileURLToPath(file);
  } catch {
    return null;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
