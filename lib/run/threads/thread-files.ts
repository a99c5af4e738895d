import { realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { thisFile } from '../../job/call-sites.js';
import { FlowrraConfigError } from '../../job/errors.js';

/** The entry file of each thread. */
export const THREAD_ENTRY = new URL('../../nest/thread/thread-entry.js', thisFile());

/** How to set the threads' module, for CommonJS and ES modules. */
export const NAME_A_MODULE =
  "forRoot({ cpu: { module: join(__dirname, 'cpu.module.js') } }), or new URL('./cpu.module.js', import.meta.url) in ES modules";

const INLINE = "In tests that compile TypeScript as they run, set forRoot({ cpu: { mode: 'inline' } }).";
const TYPESCRIPT = /\.[cm]?tsx?$/;

/**
 * Rejects a file that a thread cannot or must not import. It only checks that the file exists: an import on the main
 * thread could have side effects.
 *
 * @param file A `file:` URL.
 * @param subject Names the option in the error.
 */
export function checkThreadFile(file: string, subject: string): void {
  rejectEntry(file, subject);
  const path = pathOf(file);
  if (path !== null && (isFile(path) || compiledOnTheFly(path))) return;
  const nearest = ['.js', '.mjs', '.cjs'].map((end) => `${path}${end}`).find(isFile);
  throw new FlowrraConfigError(
    `${subject}: there is no file ${file}. ${nearest === undefined ? '' : `Did you mean ${nearest}? `}` +
      'Give the absolute path of the compiled file. A bundler may replace __filename, __dirname and import.meta.url by paths of the source or of the bundle: see docs/bundlers.md. ' +
      INLINE,
  );
}

/** Rejects the application's entry file, which would start the application again in the thread. */
export function rejectEntry(file: string, subject: string): void {
  if (!isEntry(file)) return;
  throw new FlowrraConfigError(
    `${subject}: ${file} is the application's entry file, and a thread that imports it would start the application again. ` +
      'Move the code of the threads into another file. ' +
      `If a bundler joins all files, let it build a second file for the threads, and name that file: ${NAME_A_MODULE}. See docs/bundlers.md.`,
  );
}

/** Threads load a file of this package, which a bundle does not contain. */
export function rejectBundledPackage(subject: string): void {
  if (TYPESCRIPT.test(thisFile()) || isFile(fileURLToPath(THREAD_ENTRY))) return;
  throw new FlowrraConfigError(
    `${subject}: the package flowrra is bundled into ${thisFile()}, so threads cannot find its files. Exclude it from the bundle: with webpack-node-externals in webpack, with --packages=external in esbuild. See docs/bundlers.md.`,
  );
}

/** The error for a file that a thread cannot import. A transient error of the system stays as it is, for a retry. */
export function importFailure(file: string, error: unknown): unknown {
  if (isTransient(error)) return error;
  const advice = TYPESCRIPT.test(file)
    ? ` It is TypeScript, which a thread cannot run: give the compiled file. In a bundle, import.meta.url may be the path of the source: see docs/bundlers.md. ${INLINE}`
    : '';
  return new FlowrraConfigError(`A thread cannot import ${file}: ${printedError(error)}${advice}`, {
    cause: error,
  });
}

/** An error of the system that is not caused by the file itself, such as too many open files. */
function isTransient(error: unknown): boolean {
  const { syscall, code } = (error ?? {}) as NodeJS.ErrnoException;
  return typeof syscall === 'string' && !FILE_CODES.has(code ?? '');
}

const FILE_CODES: ReadonlySet<string> = new Set([
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

/** Whether the process has a loader that may compile the file from the TypeScript file beside it. */
function compiledOnTheFly(path: string): boolean {
  const flags = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ');
  if (!/(?:^|\s)(?:-r|--require|--import|--loader|--experimental-loader)\b/.test(flags)) return false;
  return ['ts', 'tsx'].some((end) => isFile(path.replace(/jsx?$/, end)));
}

/** Whether it is the file that the process was started with. */
export function isEntry(file: string): boolean {
  const entry = process.argv[1];
  const path = pathOf(file);
  if (entry === undefined || path === null) return false;
  // `node dist/main` omits the extension, and `node dist` the file.
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

/** `null` for a URL that is not of a local file. */
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
