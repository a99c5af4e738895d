import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { thisFile } from '../../core/call-sites.js';
import { FlowrraConfigError } from '../../core/errors.js';

/** Where a thread finds a task's code, as data that crosses into it. Files are `file:` URLs. */
export type CpuTarget = (
  | { readonly kind: 'class'; readonly file: string; readonly className: string; readonly method: string }
  | { readonly kind: 'function'; readonly file: string; readonly export: string }
  /** By discovery in the thread's own Nest application. */
  | { readonly kind: 'module'; readonly taskName: string }
) & { readonly contextIndex: number | null };

/**
 * Refuses a file that a thread must not import: the application's entry, which would boot the
 * application again, and a bundle, which holds the entry.
 */
export function refuseEntryOrBundle(file: string, taskName: string): void {
  const reason = isEntry(file) ? "the application's entry file" : file === thisFile() ? 'a bundle' : null;
  if (reason === null) return;
  throw new FlowrraConfigError(
    `CPU-bound task '${taskName}' is defined in ${reason} (${file}), and a thread that imports it would start the application again. ` +
      'Move the class into a file of its own and name that: @Task({ cpuBound: true, file: import.meta.url }). ' +
      "Or give the threads a module of their own: forRoot({ cpu: { module: new URL('./cpu.module.js', import.meta.url) } }).",
  );
}

function isEntry(file: string): boolean {
  const entry = process.argv[1];
  if (entry === undefined) return false;
  const path = real(fileURLToPath(file));
  // `node dist/main` names no extension.
  return [entry, `${entry}.js`, `${entry}.mjs`, `${entry}.cjs`].some((candidate) => real(candidate) === path);
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
